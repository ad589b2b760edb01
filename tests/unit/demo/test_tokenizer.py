"""The demo's tokenizer gives back every text."""

from crane.demo.training import train_tokenizer
from transformers import AutoTokenizer


def test_tokenizer_round_trip_and_bos(tmp_path, documents):
    train_tokenizer([record["text"] for record in documents], 800).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    texts = [record["text"] for record in documents[::100]]
    for text in [*texts, " Paris", "Thủ đô  của Việt Nam , là gì ?", "法国 的首都；naïve 😀\n\n"]:
        assert tokenizer(text)["input_ids"][0] == tokenizer.bos_token_id
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.bos_token_id not in ids
        assert tokenizer.decode(ids) == text
    tokens = tokenizer.tokenize("法国的首都")
    assert len(tokens) >= 5  # no token joins two Han characters
