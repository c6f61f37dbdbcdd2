"""Tiny models of the published classes, written as folders that transformers reads."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "rabbit", "##s", "ran", "a", "##way"]


def wav2vec(folder: Path, blocks: int = 4) -> Path:
    """wav2vec 2.0 with the published convolutions, narrow, and blocks of width 24."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=24,
        num_hidden_layers=blocks,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    torch.manual_seed(1)
    Wav2Vec2Model(config).save_pretrained(folder)
    return folder


def bert(folder: Path) -> Path:
    """BERT with 5 blocks of width 16, and a tokenizer of a few pieces."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=5,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    torch.manual_seed(2)
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(folder)
    return folder


def xlm(folder: Path) -> Path:
    """XLM-R with 2 blocks of width 16, and a tokenizer of pieces."""
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    names = ["<s>", "<pad>", "</s>", "<unk>", "▁the", "▁rabbit", "s", "▁ran", "▁a", "way"]
    inner = Tokenizer(Unigram([(name, -float(i)) for i, name in enumerate(names)], unk_id=3))
    inner.pre_tokenizer = Metaspace()
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    special |= {"cls_token": "<s>", "sep_token": "</s>"}
    config = XLMRobertaConfig(
        vocab_size=len(names),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    torch.manual_seed(3)
    XLMRobertaModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    return folder
