"""Tiny models, their inputs and their tokenizer.

Everything is small enough to be built in milliseconds; weights are large (standard deviation 0.2) so that the MLPs
matter, and no norm weight or bias has its initial value, so that no test passes because of a 0 or a 1.
"""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Cohere2Config,
    Cohere2ForCausalLM,
    CohereConfig,
    CohereForCausalLM,
    Exaone4Config,
    Exaone4ForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    Olmo3Config,
    Olmo3ForCausalLM,
    OlmoeConfig,
    OlmoeForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    SiglipVisionConfig,
    SmolLM3Config,
    SmolLM3ForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
    XGLMConfig,
    XGLMForCausalLM,
)

VOCABULARY, LAYERS, HIDDEN, INTERMEDIATE = 140, 3, 32, 48
_LIKE_LLAMA = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "gemma": (GemmaConfig, GemmaForCausalLM),
    "gemma2": (Gemma2Config, Gemma2ForCausalLM),
    "gemma3_text": (Gemma3TextConfig, Gemma3ForCausalLM),
    "gemma3": (Gemma3TextConfig, Gemma3ForConditionalGeneration),
    "olmo2": (Olmo2Config, Olmo2ForCausalLM),
    "olmo3": (Olmo3Config, Olmo3ForCausalLM),
    "smollm3": (SmolLM3Config, SmolLM3ForCausalLM),
    "exaone4": (Exaone4Config, Exaone4ForCausalLM),
    "granite": (GraniteConfig, GraniteForCausalLM),
    "cohere": (CohereConfig, CohereForCausalLM),
    "cohere2": (Cohere2Config, Cohere2ForCausalLM),
    "starcoder2": (Starcoder2Config, Starcoder2ForCausalLM),
    "gpt_neox": (GPTNeoXConfig, GPTNeoXForCausalLM),
    "phi3": (Phi3Config, Phi3ForCausalLM),
}
_WITH_EXPERTS = {
    "mixtral": (MixtralConfig, MixtralForCausalLM),
    "qwen2_moe": (Qwen2MoeConfig, Qwen2MoeForCausalLM),
    "qwen3_moe": (Qwen3MoeConfig, Qwen3MoeForCausalLM),
    "olmoe": (OlmoeConfig, OlmoeForCausalLM),
    "gpt_oss": (GptOssConfig, GptOssForCausalLM),
}
_OTHERS = {
    "gpt2": (GPT2Config, GPT2LMHeadModel),
    "bloom": (BloomConfig, BloomForCausalLM),
    "opt": (OPTConfig, OPTForCausalLM),
    "xglm": (XGLMConfig, XGLMForCausalLM),
}
FAMILIES = (*_LIKE_LLAMA, *_OTHERS)
FAMILIES_WITH_EXPERTS = tuple(_WITH_EXPERTS)
EXPERTS, EXPERT_WIDTH, SHARED_WIDTH = 6, 16, 24
# Windows shorter than the samples, caps that are reached, and local and global layers in turn.
_OWN: dict[str, dict[str, Any]] = {
    "gemma2": {
        "query_pre_attn_scalar": 8, "sliding_window": 4, "attn_logit_softcapping": 2.0,
        "final_logit_softcapping": 5.0, "attn_implementation": "eager",
    },
    "gemma3_text": {
        "query_pre_attn_scalar": 8, "sliding_window": 4, "sliding_window_pattern": 2, "final_logit_softcapping": 5.0
    },
    "gemma3": {"query_pre_attn_scalar": 8, "sliding_window": 4, "sliding_window_pattern": 2},
    "olmo3": {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    "smollm3": {"no_rope_layer_interval": 2},
    "exaone4": {"sliding_window": 4, "sliding_window_pattern": 2},
    "granite": {
        "logits_scaling": 3.0, "residual_multiplier": 0.5, "embedding_multiplier": 2.0, "attention_multiplier": 0.3,
    },
    "cohere": {"logit_scale": 0.25, "use_qk_norm": True},
    "cohere2": {"logit_scale": 0.25, "sliding_window": 4, "sliding_window_pattern": 2},
    "mixtral": {"num_local_experts": EXPERTS, "intermediate_size": EXPERT_WIDTH},
    "qwen2_moe": {
        "num_experts": EXPERTS, "moe_intermediate_size": EXPERT_WIDTH, "shared_expert_intermediate_size": SHARED_WIDTH,
        "num_experts_per_tok": 2,
    },
    "qwen3_moe": {
        "num_experts": EXPERTS, "moe_intermediate_size": EXPERT_WIDTH, "num_experts_per_tok": 2, "norm_topk_prob": True,
    },
    "olmoe": {"num_experts": EXPERTS, "intermediate_size": EXPERT_WIDTH, "num_experts_per_tok": 2},
    # Bounds that are reached, and a window shorter than the samples.
    "gpt_oss": {
        "num_local_experts": EXPERTS, "intermediate_size": EXPERT_WIDTH, "num_experts_per_tok": 2, "swiglu_limit": 1.0,
        "sliding_window": 4, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    },
}  # fmt: skip
_SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": HIDDEN, "n_inner": INTERMEDIATE, "n_layer": LAYERS, "n_head": 4, "n_positions": 96},
    "bloom": {"hidden_size": INTERMEDIATE // 4, "n_layer": LAYERS, "n_head": 4},
    "opt": {
        "hidden_size": HIDDEN, "ffn_dim": INTERMEDIATE, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "max_position_embeddings": 96, "word_embed_proj_dim": 16, "dropout": 0.0,
    },
    "xglm": {
        "d_model": HIDDEN, "ffn_dim": INTERMEDIATE, "num_layers": LAYERS, "attention_heads": 4,
        "max_position_embeddings": 96,
    },
}  # fmt: skip
SENTENCES = [
    "The capital of France is Paris and people there speak French.",
    "The capital of Viet Nam is Ha Noi and people there speak Vietnamese.",
    "The capital of China is Beijing and people there speak Chinese.",
    "Which currency is used in Japan? The yen is used in Japan.",
    "Q: Which month comes after March?\nA: April comes after March.",
]


def build_model(family: str, *, seed: int = 0, vocabulary: int = VOCABULARY, **settings: Any) -> Any:
    """Return a random model of a family, float32, in evaluation mode."""
    common: dict[str, Any] = {
        "vocab_size": vocabulary, "initializer_range": 0.2, "tie_word_embeddings": False,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
    }  # fmt: skip
    if family in _OTHERS:
        make_config, make = _OTHERS[family]
        shape = _SHAPES[family]
    else:
        make_config, make = (_LIKE_LLAMA | _WITH_EXPERTS)[family]
        shape = {
            "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 96,
        }  # fmt: skip
    config: Any = make_config(**shape | common | _OWN.get(family, {}) | settings)
    if family == "gemma3":
        config = _seeing(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make(config).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.ndim == 1 or name.endswith("_bias"):
                    parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def _seeing(text: Gemma3TextConfig) -> Gemma3Config:
    """Return the configuration of a model that also sees images, around that of its text decoder."""
    vision = SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )  # fmt: skip
    names = ("tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id", "initializer_range")
    last = text.vocab_size - 1
    return Gemma3Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), mm_tokens_per_image=4,
        image_token_index=last, boi_token_index=last - 1, eoi_token_index=last - 2,
        **{name: getattr(text, name) for name in names},
    )  # fmt: skip


def make_padded(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return input_ids `[B, T]` padded on the right, and attention_mask `[B, T]`."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCABULARY, (len(lengths), max(lengths)), generator=generator)
    ids[:, 0] = 0
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return torch.where(mask.bool(), ids, 2), mask


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return a BPE tokenizer of readable pieces that adds BOS by its post-processor."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=140,
        special_tokens=["<s>", "</s>", "<pad>", "<unk>"],
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyz"),  # transformers' stop strings need a to f
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
