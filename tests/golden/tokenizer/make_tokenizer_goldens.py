"""Writes the tokenizer goldens beside this file; run by hand.

    python3 -m venv V && V/bin/pip install tokenizers sentencepiece gguf numpy xllamacpp
    V/bin/python tests/golden/tokenizer/make_tokenizer_goldens.py SmolLM2-135M-Instruct.Q4_1.gguf

Witnesses: Hugging Face tokenizers for everything that has a tokenizer.json (the demo model's
vocabulary is turned into one here; small ones are trained here), sentencepiece for the GGUF model
"llama", and llama.cpp (through xllamacpp, if it is there) for the demo model.
"""
import json
import os
import pathlib
import sys
import tempfile
import urllib.request

import gguf
import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_strings import strings

HERE = pathlib.Path(__file__).parent
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEXT = """It's a rather small text, and I'll say so: don't expect 1,234 wonders from 56789 words. The tokenizer learns the pairs that it meets.
THEY'RE in capitals, THE END; we've the, the, and the other thing. def f(x):\n    return x + 1\n\nif (a == b) {\n\treturn;\n}
Ein Caf\u00e9 in \u00c5ngstr\u00f6m, na\u00efve Gr\u00fc\u00dfe; \u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440, \u4f60\u597d\u4e16\u754c \u4e2d\u6587, \u3053\u3093\u306b\u3061\u306f, \ud55c\uad6d\uc5b4, \u0645\u0631\u062d\u0628\u0627, \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35, \U0001f600 \U0001f44d\U0001f3fd
hahaha aaaa abab ====== ------ 2024-02-29 3.14159      spaces   and   runs\n\n\n   of them. word wordword
Preferences go in, a better model comes out; the same bits whatever the batch. Each answer is compared with another.
""".splitlines(keepends=True) * 3


def write(name, value):
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    assert len(text) < 300_000, (name, len(text))
    (HERE / name).write_text(text + "\n")
    print(name, len(text))


def versions(**more):
    return {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__, **more}


def expected(tokenizer, texts):
    rows = []
    for text in texts:
        rows.append([text, tokenizer.encode(text).ids, tokenizer.encode(text, add_special_tokens=False).ids])
    return rows


def split(regex):
    return pre_tokenizers.Split(Regex(regex), "isolated", invert=False)


def byte_level(**options):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, **options)


def train(pre, normalizer=None, ignore_merges=False, template=None, added=()):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>"], show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_tokens(list(added))
    if template is not None:
        tokenizer.post_processor = template
    return tokenizer


def small_vocabularies(texts):
    added = [AddedToken("<think>", normalized=False), AddedToken("</think>", lstrip=True, rstrip=True, normalized=False),
             AddedToken("word", single_word=True, normalized=True), AddedToken("caf\u00e9", normalized=True)]
    bos = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 3)])
    both = processors.TemplateProcessing(single="<s> $A <|im_end|>", special_tokens=[("<s>", 3), ("<|im_end|>", 2)])
    variants = {
        "smollm": train(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()]), added=added[:2]),
        "gpt2": train(byte_level(), added=added[:3]),
        "llama3": train(pre_tokenizers.Sequence([split(LLAMA3), byte_level(use_regex=False)]), ignore_merges=True,
                        template=processors.Sequence([processors.ByteLevel(trim_offsets=False), bos])),
        "qwen2": train(pre_tokenizers.Sequence([split(QWEN2), byte_level(use_regex=False)]), normalizer=normalizers.NFC(), added=added, template=both),
    }
    for name, tokenizer in variants.items():
        content = json.loads(tokenizer.to_str())
        if name == "llama3":  # what ignore_merges is for: a whole word that no merges lead to
            merges = [m for m in content["model"]["merges"] if "".join(m) not in ("\u0120and", "\u0120the")]
            content["model"]["merges"] = merges
            tokenizer = Tokenizer.from_str(json.dumps(content))
        if name == "gpt2":
            content["model"]["merges"] = [" ".join(m) for m in content["model"]["merges"]]
            tokenizer = Tokenizer.from_str(json.dumps(content))
        write(f"small_{name}.json", {"versions": versions(), "tokenizer": content, "rows": expected(tokenizer, texts)})


def sentence_piece(texts):
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "m")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line.strip("\n") for line in TEXT), model_prefix=prefix, vocab_size=500, model_type="bpe",
            byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
            allow_whitespace_only_pieces=True, character_coverage=0.98, user_defined_symbols=["<think>"], minloglevel=2)
        processor = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    size = processor.get_piece_size()
    tokens = [processor.id_to_piece(i) for i in range(size)]
    types = [2 if processor.is_unknown(i) else 3 if processor.is_control(i) else 6 if processor.is_byte(i) else
             5 if processor.is_unused(i) else 4 if tokens[i] == "<think>" else 1 for i in range(size)]
    fields = {"model": "llama", "tokens": tokens, "token_types": types, "scores": [processor.get_score(i) for i in range(size)]}
    # sentencepiece takes user-defined pieces and NUL its own way: compared where both mean the same.
    rows = [[t, processor.encode(t)] for t in texts if "<think>" not in t and "\x00" not in t and "\u2581" not in t]
    write("sentence_piece.json", {"versions": versions(), "fields": fields, "rows": rows})

    # The same vocabulary as Llama 2's tokenizer.json has it: merges by rank, spaces by a normaliser.
    vocab = {t: i for i, t in enumerate(tokens)}
    merges = []
    for piece, score in sorted(((t, i) for i, t in enumerate(tokens) if types[i] == 1), key=lambda p: p[1]):
        local = [(piece[:k], piece[k:]) for k in range(1, len(piece)) if piece[:k] in vocab and piece[k:] in vocab]
        merges += sorted(local, key=lambda p: (vocab[p[0]], vocab[p[1]]))
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken("<unk>", normalized=False), AddedToken("<s>", normalized=False), AddedToken("</s>", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    write("small_llama2.json", {"versions": versions(), "tokenizer": json.loads(tokenizer.to_str()), "rows": expected(tokenizer, texts)})
    # The newer form: Metaspace instead of the normaliser, prepended to the first section only.
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False)
    tokenizer = Tokenizer.from_str(tokenizer.to_str().replace('"normalizer":{}', '"normalizer":null'))
    write("small_metaspace.json", {"versions": versions(), "tokenizer": json.loads(tokenizer.to_str()), "rows": expected(tokenizer, texts)})


def demo_model(path, texts):
    fields = gguf.GGUFReader(path).fields
    value = lambda key: fields["tokenizer.ggml." + key].contents()
    tokens, types, merges = value("tokens"), value("token_type"), value("merges")
    vocab = {t: i for i, t in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab, [tuple(m.split(" ")) for m in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for i, t in enumerate(tokens) if types[i] == 3])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for i, t in enumerate(tokens) if types[i] == 4])
    if len(sys.argv) > 2:
        tokenizer.save(sys.argv[2])
    rows = [[t, tokenizer.encode(t, add_special_tokens=False).ids] for t in texts]
    equal = None
    version = None
    try:
        import xllamacpp
        parameters = xllamacpp.CommonParams()
        parameters.model.path = path
        parameters.n_ctx = 64
        server = xllamacpp.Server(parameters)
        equal, version = 0, getattr(xllamacpp, "__version__", "?")
        for text, ids in rows:
            question = json.dumps({"content": text, "add_special": False, "parse_special": True}).encode()
            request = urllib.request.Request(server.listening_address + "/tokenize", question, {"Content-Type": "application/json"})
            got = json.load(urllib.request.urlopen(request))["tokens"]
            equal += got == ids
            if got != ids:
                print("llama.cpp differs:", repr(text), got[:20], ids[:20])
    except Exception as problem:  # noqa: BLE001: an optional witness
        print("llama.cpp was not asked:", repr(problem)[:300])
    print("llama.cpp equal:", equal, "of", len(rows))
    write("smollm2.json", {"versions": versions(xllamacpp=version), "llama_cpp_equal": equal, "vocab_size": len(tokens), "rows": rows})


if __name__ == "__main__":
    all_strings = strings()
    print(len(all_strings), "strings")
    small_vocabularies(all_strings)
    sentence_piece(all_strings)
    demo_model(sys.argv[1], all_strings)
