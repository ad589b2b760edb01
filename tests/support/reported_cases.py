"""Published inputs by the lines of docs/inputs.md: the path below the folder of the inputs, and how it is used."""

CASES: dict[str, dict[str, list[str]]] = {
    "Configurations": {
        "a byte order mark; line ends of Windows; texts in any script": [
            "configs/base.yaml",
            "configs/bom.yaml",
            "configs/crlf.yaml",
            "configs/suffix.yaml",
            "configs/rt.yaml",
        ],
        "a key that is given twice": ["configs/dup_key.yaml", "configs/same_lang_twice.yaml"],
        "a name that YAML reads as true or false (no, off, on, yes)": [
            "configs/language_no.yaml",
            "configs/language_no_only_in_languages.yaml",
            "configs/judge_no.yaml",
            "configs/mask_on.yaml",
            "configs/mask_set_off.yaml",
            "configs/model_yes.yaml",
        ],
        "such a name in quotes; y as a name": ["configs/language_no_quoted.yaml", "configs/judge_y.yaml"],
        "a number as a name": ["configs/bench_number.yaml", "configs/model_number.yaml"],
        "a number where a text is meant (a label, a commit of digits)": [
            "configs/study_number.yaml",
            "configs/label_number.yaml",
            "configs/revision_int.yaml",
        ],
        "a commit that looks like a number with an exponent": ["configs/revision_float.yaml"],
        "the word no where a text is meant": ["configs/name_no.yaml"],
        "a date where a text is meant": ["configs/study_date.yaml"],
        "an exponent without point (1e-1)": ["configs/lr_exponent.yaml"],
        "a number with a unit (6.74B)": ["configs/parameters_underscore.yaml"],
        "infinity as a share of neurons": ["configs/inf_fraction.yaml"],
        "no random mask (seeds: 0)": ["configs/seeds_zero.yaml"],
        "a hyphen or a point in the name of a model; a space in that of the study": [
            "configs/model_dot.yaml",
            "configs/study_space.yaml",
        ],
        "codes of languages with a script or region (zh_Hant, pt_BR, vie_Latn)": [
            "configs/language_zh_Hant.yaml",
            "configs/language_pt_BR.yaml",
            "configs/language_vie_Latn.yaml",
        ],
        "codes of languages with a hyphen or capitals (zh-Hans, VI)": [
            "configs/language_zh-Hans.yaml",
            "configs/language_capital.yaml",
        ],
        "a branch instead of a commit": ["configs/revision_main.yaml"],
        "the address of a repository instead of its name": ["configs/repo_url.yaml"],
        "a path that begins with ~ or $HOME": ["configs/tilde.yaml"],
        "a section without content": ["configs/empty_section.yaml"],
        "a language without a file": ["configs/null_file.yaml"],
        "a judge's address with a query (Azure's former form)": ["configs/judge_azure.yaml"],
        "tabs for indentation (refused by Snakemake)": ["configs/tab.yaml"],
        "a time of 24:00:00 in the SLURM profile": ["slurm/runtime_24h.yaml"],
        "a file that does not exist": [
            "configs/bench_data_csv.yaml",
            "configs/csv_corpus.yaml",
            "configs/json_corpus.yaml",
            "configs/zst_corpus.yaml",
            "configs/txt_questions_reference_judge.yaml",
        ],
        "a folder, or a pattern, where one file is meant; brackets in the name of a folder are no pattern": [
            "configs/bench_data_dir.yaml",
            "configs/brackets.yaml",
        ],
        "a judge without its key": ["configs/judge_batch_gemini.yaml"],
        "a model's folder whose tensors have other names": ["configs/randomweights.yaml"],
        "a context that no question fits into": ["configs/context_small.yaml context"],
    },
    "Texts of corpora": {
        "an array of objects in a file of JSON or JSONL": ["corpora/array.jsonl", "corpora/json_array.json"],
        "blank lines, between records or at the end": [
            "corpora/blank_between.jsonl",
            "corpora/blank_line_at_end.jsonl",
        ],
        "a byte order mark; line ends of Windows": [
            "corpora/bom.jsonl",
            "corpora/bom.txt",
            "corpora/crlf.txt",
        ],
        "separators of lines within a text (U+2028, U+0085)": ["corpora/u2028.jsonl"],
        "composed and decomposed Vietnamese": ["corpora/nfc_nfd.txt"],
        "Parquet with texts in any of its types (large, view, dictionary)": [
            "corpora/good.parquet",
            "corpora/large.parquet",
            "corpora/view.parquet",
            "corpora/dict.parquet",
        ],
        "several gzip streams in one file": ["corpora/multi.jsonl.gz"],
        "UTF-16": ["corpora/utf16.jsonl", "corpora/utf16.txt"],
        "GB18030, GBK or GB2312": ["corpora/gb18030.txt"],
        "the pointer of a file in Git LFS": ["corpora/lfs.txt"],
        "a gzip or zstd file that was cut, or is none": [
            "corpora/cut.jsonl.gz",
            "corpora/not_gz.jsonl.gz",
            "corpora/x.jsonl.zst",
        ],
        "a damaged Parquet file": ["corpora/cut.parquet", "corpora/damaged_page.parquet"],
        "half of a surrogate pair": ["corpora/lone_surrogate.jsonl"],
        "a text that is a number, a list or bytes": [
            "corpora/number.jsonl",
            "corpora/list.jsonl",
            "corpora/list.parquet",
            "corpora/bytes.parquet",
        ],
        "no field of that name": ["corpora/meta_nested.jsonl", "corpora/struct.parquet"],
        "a comma after each line of JSON": ["corpora/comma_between.jsonl"],
    },
    "Questions of benchmarks": {
        "an array of objects; blank lines; a byte order mark": [
            "benchmarks/good.jsonl choices",
            "benchmarks/good.jsonl letters",
            "benchmarks/array.json choices",
            "benchmarks/array.json letters",
            "benchmarks/blank_lines.jsonl choices",
            "benchmarks/blank_lines.jsonl letters",
            "benchmarks/bom.jsonl choices",
            "benchmarks/bom.jsonl letters",
        ],
        "signs of a template in a question ({{ 7*7 }})": ["benchmarks/jinja_question.jsonl choices"],
        "a field with values of several types, beside those that are needed": [
            "benchmarks/nested_types.jsonl choices"
        ],
        "answers as letters, with letters": ["benchmarks/letter_answer.jsonl letters"],
        "answers as letters, without letters": ["benchmarks/letter_answer.jsonl choices"],
        "answers as texts of the choices, without letters": ["benchmarks/text_answer.jsonl choices"],
        "answers as texts of the choices, with letters": [
            "benchmarks/text_answer.jsonl letters",
            "benchmarks/mixed_answer.jsonl letters",
        ],
        "numbers of the choices in quotes": [
            "benchmarks/string_index.jsonl choices",
            "benchmarks/string_index.jsonl letters",
            "benchmarks/digit_string_choices_ambiguous.jsonl letters",
        ],
        "numbers in quotes that may be a choice's number or its text": [
            "benchmarks/digit_string_choices.jsonl choices",
            "benchmarks/digit_string_choices_ambiguous.jsonl choices",
        ],
        "numbers and texts as answers of one file": ["benchmarks/mixed_answer.jsonl choices"],
        "an answer that is a decimal number, null or out of range": [
            "benchmarks/float_answer.jsonl choices",
            "benchmarks/float_answer.jsonl letters",
            "benchmarks/null_answer.jsonl choices",
            "benchmarks/null_answer.jsonl letters",
            "benchmarks/neg_answer.jsonl choices",
            "benchmarks/neg_answer.jsonl letters",
        ],
        "five choices, scored as texts": [
            "benchmarks/five_choices_letters.jsonl choices",
            "benchmarks/five_choices_letters_b.jsonl choices",
        ],
        "five or two choices, with letters": [
            "benchmarks/five_choices_letters.jsonl letters",
            "benchmarks/five_choices_letters_b.jsonl letters",
            "benchmarks/jinja_question.jsonl letters",
            "benchmarks/nested_types.jsonl letters",
        ],
        "choices that are numbers": [
            "benchmarks/numeric_choices.jsonl choices",
            "benchmarks/numeric_choices.jsonl letters",
            "benchmarks/numeric_choices_text.jsonl choices",
            "benchmarks/numeric_choices_text.jsonl letters",
        ],
        "an empty choice, or one of invisible characters": [
            "benchmarks/empty_choice.jsonl choices",
            "benchmarks/empty_choice.jsonl letters",
        ],
        "choices in one text, or with their labels in an object": [
            "benchmarks/choices_as_text.jsonl choices",
            "benchmarks/choices_as_text.jsonl letters",
            "benchmarks/choices_dict.jsonl choices",
            "benchmarks/choices_dict.jsonl letters",
        ],
        "no field question": [
            "benchmarks/missing_question.jsonl choices",
            "benchmarks/missing_question.jsonl letters",
        ],
        "a file without questions": ["benchmarks/empty.jsonl choices", "benchmarks/empty.jsonl letters"],
        "UTF-16; the pointer of a file in Git LFS": [
            "benchmarks/utf16.jsonl choices",
            "benchmarks/utf16.jsonl letters",
            "benchmarks/lfs.jsonl choices",
            "benchmarks/lfs.jsonl letters",
        ],
        "a question longer than the model can read": ["benchmarks/long_context.jsonl overlong"],
    },
    "Open questions": {
        "a byte order mark; an array of objects; a question that occurs twice": [
            "questions/bom.jsonl llm",
            "questions/bom.txt llm",
            "questions/q.json llm",
            "questions/dup.txt llm",
            "questions/ref_missing.jsonl llm",
        ],
        "spaces of any width around a question; a line that shows nothing": [
            "questions/fullwidth.txt llm",
            "questions/nbsp_zwsp.txt llm",
        ],
        "questions without reference, with the reference judge": [
            "questions/ref_missing.jsonl reference",
            "questions/bom.jsonl reference",
            "questions/bom.txt reference",
            "questions/q.json reference",
            "questions/dup.txt reference",
            "questions/nbsp_zwsp.txt reference",
        ],
        "a reference that is a number": [
            "questions/ref_number.jsonl llm",
            "questions/ref_number.jsonl reference",
        ],
        "other names of fields (prompt; turns, as in MT-Bench)": [
            "questions/prompt.jsonl llm",
            "questions/mtbench.jsonl llm",
        ],
        "half of a surrogate pair": ["questions/surrogate.jsonl llm"],
        "UTF-16 or GB18030": ["questions/utf16.jsonl llm", "questions/gb18030.txt llm"],
    },
    "Files of masks": {
        "indices in any order, repeated, or of 32 bits; PyTorch's former format": [
            "masks/good.pth",
            "masks/unsorted_dup.pth",
            "masks/int32.pth",
            "masks/legacy.pth",
        ],
        "boolean masks, decimal numbers, matrices or single numbers as tensors; lists of numbers": [
            "masks/bool_mask.pth",
            "masks/float.pth",
            "masks/empty_float.pth",
            "masks/twod.pth",
            "masks/scalar.pth",
            "masks/lists.pth",
        ],
        "other containers (a dictionary, a tuple, one tensor)": [
            "masks/dict.pth",
            "masks/stack.pth",
            "masks/tuple_rows.pth",
        ],
        "arrays of NumPy, or other objects": ["masks/numpy.pth"],
        "languages with different numbers of layers": ["masks/ragged.pth"],
        "an index beyond the layer's width": ["masks/too_large.pth"],
    },
    "Model folders": {
        "generation_config.json with beams, n-gram bans, biases or contrastive search": [
            "models/good",
            "models/generation_min",
            "models/generation_bad",
        ],
        "tokenizer.model alone (Vicuna and other tunes of LLaMA-2)": ["models/spm_only"],
        "names of tensors with a prefix": ["models/prefix_keys"],
        "missing tensors": ["models/missing_tensors"],
        "a missing file of several": ["models/missing_shard"],
        "pointers of Git LFS": ["models/lfs_bin", "models/lfs_safetensors"],
        "quantised weights": ["models/gptq"],
        "a tokenizer larger than the embedding": ["models/tokenizer_larger"],
        "code in the folder": ["models/remote_code"],
    },
    "Replies of judges": {
        "thoughts before the verdict; a bold label; the score as a text; a visible end token": [
            "judge/replies.jsonl rating_bold_label",
            "judge/replies.jsonl think_before_json",
            "judge/replies.jsonl think_before_schema",
            "judge/replies.jsonl score_as_text",
            "judge/replies.jsonl end_token_shown",
        ],
        "the content as a list of parts": ["judge/bodies.json content_as_list"],
        "a blocked answer without message": [
            "judge/bodies.json blocked_without_message",
            "judge/bodies.json blocked_message_null",
        ],
        "status 200 with an error that all requests would get": ["judge/bodies.json error_with_200"],
        "status 200 with an error that may pass": ["judge/bodies.json choices_null_with_error"],
    },
}
"""Section of the page -> input, as the page words it -> cases."""

SURROUNDINGS = {
    "a locale that is not UTF-8": (
        "workflow/test_surroundings.py::test_files_and_logs_are_utf8_whatever_the_locale"
    ),
    "an interpreter under a path with a space": (
        "workflow/test_surroundings.py::test_an_interpreter_under_a_path_with_a_space_is_told_at_once"
    ),
    "an account of digits only in the SLURM profile (00123)": (
        "unit/study/test_yaml_files.py::test_no_site_has_a_partition_called_true"
    ),
    "a study without open questions or without benchmarks": (
        "workflow/test_optional_sections.py::test_a_study_of_one_kind_runs_to_its_end"
    ),
    "a special token that a text writes out (`<s>`)": (
        "unit/corpora/test_chunks.py::test_special_tokens_that_a_text_writes_are_text_and_counted"
    ),
    "a folder among the files that a pattern matches": (
        "unit/texts/test_files.py::test_folders_among_matches_are_left_out_unless_named_like_a_file"
    ),
    "a chat template that does not render a question": (
        "unit/models/test_tokenizers.py::test_a_template_that_does_not_render_is_told"
    ),
    "a chat template that asks for today's date, or for thinking": (
        "unit/evaluation/test_open_questions.py::test_a_template_gets_the_date_of_the_study_or_none"
    ),
    "thoughts before a model's answer": (
        "unit/evaluation/test_collect.py::test_thoughts_are_kept_beside_the_answers"
    ),
    "an endpoint that refuses max_completion_tokens or the system role": (
        "unit/judging/test_asking.py::test_an_endpoint_that_knows_less_is_asked_in_its_dialect"
    ),
    "HTTP 401 to 404, or no quota": (
        "unit/judging/test_asking.py::test_a_status_that_all_requests_would_get_ends_the_job_at_once"
    ),
    "an untied model without output layer": (
        "unit/models/test_tensors.py::test_an_untied_model_without_output_layer_is_told_the_key"
    ),
}
"""Input, as the page words it -> the test that makes it."""
