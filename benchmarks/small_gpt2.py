"""A small GPT-2 that is trained here in minutes: a real decoder with real text, small enough to be taken apart.

Captions of pictures (multi30k, five of each of 29,000 pictures) make a narrow language that a network of four layers
can learn. One pass over three of each picture's, with a byte-level BPE vocabulary of their own, gives a Hugging Face
folder (config.json, model.safetensors, tokenizer.json, generation_config.json) that `unitscope` and `transformers`
read. It is judged on the captions of 1,014 other pictures beside two models of counts over the same tokens, unigrams
and bigrams, each smoothed by the one before it (Witten and Bell 1991). Equal seeds give equal bytes.

`--out DIR` keeps DIR/model, the last line as DIR/figures.json, and DIR/captions.txt, the captions it was not trained
on: one a line, a blank line between pictures, so that they are a corpus whose groups are pictures. The last line is one
JSON object:

perplexity  of a held-out token by each model, intervals by jackknife over pictures; `ratio` is the network's over the
            bigrams'
samples     captions that it makes by itself, greedily and by chance
sha256      of the weights
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

THREADS = 1
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = str(THREADS)
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn import functional

DATA = Path(__file__).parents[2] / "shared" / "data" / "multi30k"
END = "<|endoftext|>"
CAPTIONS, READ = 5, 3  # captions of each picture; those of them that are read, by chance
VOCABULARY, WIDTH, LAYERS, HEADS, LONGEST = 4096, 128, 4, 4, 64
BATCH, POOL, RATE, WARM, DECAY = 64, 50, 3e-3, 100, 0.05
QUICK_PICTURES = 3000
PROMPTS = ("", "A man", "Two women", "A brown dog", "A group of children", "The little girl in a red")
MUST, AIM = {"ratio": 0.95, "cpu_seconds": 600}, {"ratio": 0.7, "cpu_seconds": 360}

Tokens = list[NDArray[np.int64]]


def captions(part: str, pictures: int | None = None) -> list[list[str]]:
    """The captions of each picture, in the order of the files."""
    files = [DATA / f"captions_{part}.{number}.en.gz" for number in range(1, CAPTIONS + 1)]
    lines = [gzip.decompress(file.read_bytes()).decode("utf-8").splitlines() for file in files]
    return [[line.strip() for line in own if line.strip()] for own in zip(*lines, strict=True)][:pictures]


def tokenizer_of(texts: Sequence[str]) -> Any:
    """Byte-level BPE as GPT-2's, of these texts; each text begins with the end of the one before."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=sorted(alphabet), show_progress=False
        ),
    )
    made.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, made.token_to_id(END))]),
        ]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=END, eos_token=END, pad_token=END, model_max_length=LONGEST
    )


def encoded(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    """Tokens of each text between two ends; those beyond what the network takes are cut off."""
    end = tokenizer.eos_token_id
    return [np.array([*ids, end]) for ids in tokenizer(list(texts), truncation=True)["input_ids"]]


def network(tokenizer: Any, seed: int) -> Any:
    """Four layers; its output embedding is its input embedding."""
    torch.manual_seed(seed)
    end = tokenizer.eos_token_id
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        n_positions=LONGEST,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    return transformers.GPT2LMHeadModel(config)


def padded(rows: Sequence[NDArray[np.int64]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens read and tokens to be said [B, T]; nothing (-100) is to be said behind a text."""
    longest = max(len(row) for row in rows) - 1
    read = np.zeros((len(rows), longest), np.int64)
    said = np.full((len(rows), longest), -100, np.int64)
    for number, row in enumerate(rows):
        read[number, : len(row) - 1], said[number, : len(row) - 1] = row[:-1], row[1:]
    return torch.from_numpy(read), torch.from_numpy(said)


def batches(rows: Tokens, rng: np.random.Generator) -> Iterator[list[NDArray[np.int64]]]:
    """Every text once, in batches of like length."""
    order = rng.permutation(len(rows))
    for start in range(0, len(order), BATCH * POOL):
        pool = sorted(order[start : start + BATCH * POOL], key=lambda number: len(rows[number]))
        cuts = [pool[at : at + BATCH] for at in range(0, len(pool), BATCH)]
        for number in rng.permutation(len(cuts)):
            yield [rows[index] for index in cuts[number]]


def train(model: Any, rows: Tokens, passes: int, seed: int) -> None:
    """AdamW; the rate rises over some steps, then falls as a cosine to nothing."""
    matrices = [each for each in model.parameters() if each.dim() > 1]
    others = [each for each in model.parameters() if each.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), fused=True)
    rng = np.random.default_rng(seed)
    steps = passes * -(-len(rows) // BATCH)
    started, step, losses = time.perf_counter(), 0, []
    model.train()
    for _ in range(passes):
        for batch in batches(rows, rng):
            for group in optimiser.param_groups:
                group["lr"] = RATE * min(1.0, (step + 1) / WARM) * 0.5 * (1 + np.cos(np.pi * step / steps))
            read, said = padded(batch)
            # Padding stands behind a text, where causal attention never looks from within it: it needs no mask.
            everything = torch.ones_like(read)
            output = model.transformer(input_ids=read, attention_mask=everything, use_cache=False)
            states = output.last_hidden_state[said >= 0]
            loss = functional.cross_entropy(model.lm_head(states), said[said >= 0])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
            step += 1
            if step % 200 == 0:
                seconds = time.perf_counter() - started
                print(f"{step} of {steps}, {seconds:.0f} s, loss {np.mean(losses[-200:]):.3f}", file=sys.stderr)
    model.eval()


@torch.inference_mode()
def network_losses(model: Any, rows: Tokens) -> list[NDArray[np.float64]]:
    """Loss of each token after the first, in nats, by text."""
    found: list[NDArray[np.float64]] = []
    for start in range(0, len(rows), BATCH):
        read, said = padded(rows[start : start + BATCH])
        scores = model(input_ids=read, attention_mask=torch.ones_like(read), use_cache=False).logits
        losses = functional.cross_entropy(scores.transpose(1, 2), said, reduction="none").double().numpy()
        found += [own[: len(row) - 1] for own, row in zip(losses, rows[start : start + BATCH], strict=True)]
    return found


def count_losses(train: Tokens, rows: Tokens, size: int) -> dict[str, list[NDArray[np.float64]]]:
    """The same by unigrams and bigrams, each mixed with the model before it by Witten and Bell's weights."""
    said = np.concatenate([row[1:] for row in train])
    before = np.concatenate([row[:-1] for row in train])
    counts = np.bincount(said, minlength=size).astype(float)
    kinds = np.count_nonzero(counts)
    unigram = (counts + kinds / size) / (counts.sum() + kinds)
    pairs, n_pairs = np.unique(before * size + said, return_counts=True)
    followed = np.bincount(before, minlength=size).astype(float)
    followers = np.bincount(pairs // size, minlength=size).astype(float)

    def bigram(row: NDArray[np.int64]) -> NDArray[np.float64]:
        pair, first = row[:-1] * size + row[1:], row[:-1]
        at = np.minimum(np.searchsorted(pairs, pair), len(pairs) - 1)
        seen = np.where(pairs[at] == pair, n_pairs[at], 0)
        below = followed[first] + followers[first]
        mixed = (seen + followers[first] * unigram[row[1:]]) / np.maximum(below, 1.0)
        return np.asarray(np.where(below > 0, mixed, unigram[row[1:]]))

    return {
        "unigrams": [-np.log(unigram[row[1:]]) for row in rows],
        "bigrams": [-np.log(bigram(row)) for row in rows],
    }


def perplexity(losses: Sequence[NDArray[np.float64]], pictures: NDArray[np.int64]) -> dict[str, float]:
    """Of a token, with a 95 % interval: jackknife over pictures on the scale of the loss."""
    total = np.bincount(pictures, [float(own.sum()) for own in losses])
    n = np.bincount(pictures, [len(own) for own in losses])
    mean, without = total.sum() / n.sum(), (total.sum() - total) / (n.sum() - n)
    wide = 1.96 * np.sqrt((len(n) - 1) / len(n) * ((without - without.mean()) ** 2).sum())
    return {"perplexity": np.exp(mean), "low": np.exp(mean - wide), "high": np.exp(mean + wide), "loss": mean}


@torch.inference_mode()
def samples(model: Any, tokenizer: Any, seed: int) -> list[dict[str, str]]:
    """What follows some beginnings: the likeliest token each time, and a token by chance."""
    found = []
    torch.manual_seed(seed)
    for prompt in PROMPTS:
        ids = tokenizer([prompt], return_tensors="pt")["input_ids"]
        texts = []
        for drawn in (False, True):
            how = {"do_sample": drawn, "max_new_tokens": LONGEST - ids.shape[1], **({"top_k": 0} if drawn else {})}
            out = model.generate(ids, attention_mask=torch.ones_like(ids), **how)
            texts.append(tokenizer.decode(out[0], skip_special_tokens=True).strip())
        found.append({"prompt": prompt, "greedy": texts[0], "drawn": texts[1]})
    return found


def save(model: Any, tokenizer: Any, held_out: Sequence[Sequence[str]], out: Path) -> str:
    """The folder of the network and the corpus beside it; SHA-256 of the weights."""
    model.save_pretrained(out / "model")
    tokenizer.save_pretrained(out / "model")
    text = "\n".join("\n".join(own) + "\n" for own in held_out)
    (out / "captions.txt").write_text(text, encoding="utf-8")
    return hashlib.sha256((out / "model" / "model.safetensors").read_bytes()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PICTURES} pictures; nothing must be met")
    parser.add_argument("--out", type=Path, help="keep the network and its corpus in this folder")
    parser.add_argument("--passes", type=int, default=1, help="over the captions")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(json.dumps({"skipped": "the captions of multi30k are not beside the project", "must": MUST, "aim": AIM}))
        return 0
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.disable_progress_bar()
    started, processor = time.perf_counter(), time.process_time()
    own, held_out = captions("train", QUICK_PICTURES if arguments.quick else None), captions("val")
    rng = np.random.default_rng(arguments.seed)
    texts = [each[at] for each in own for at in sorted(rng.permutation(len(each))[:READ])]
    tokenizer = tokenizer_of(texts)
    rows, judged = encoded(tokenizer, texts), encoded(tokenizer, [text for each in held_out for text in each])
    model = network(tokenizer, arguments.seed)
    train(model, rows, arguments.passes, arguments.seed)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    pictures = np.repeat(np.arange(len(held_out)), [len(each) for each in held_out])
    losses = {"network": network_losses(model, judged)} | count_losses(rows, judged, len(tokenizer))
    found = {name: perplexity(each, pictures) for name, each in losses.items()}
    with tempfile.TemporaryDirectory() as folder:
        sha = save(model, tokenizer, held_out, arguments.out or Path(folder))
    made = samples(model, tokenizer, arguments.seed)
    for name, each in found.items():
        print(f"{name:10} perplexity {each['perplexity']:7.2f} [{each['low']:.2f}, {each['high']:.2f}]")
    for each in made:
        print(f"  {each['prompt']!r}: {each['greedy']!r}; by chance {each['drawn']!r}")
    ratio = found["network"]["perplexity"] / found["bigrams"]["perplexity"]
    tokens = arguments.passes * sum(len(row) - 1 for row in rows)
    missed = [name for name, value in {"ratio": ratio, "cpu_seconds": processor}.items() if value > MUST[name]]
    missed = [] if arguments.quick else missed
    n_weights = sum(each.numel() for each in model.parameters())
    took = f"{seconds:.0f} s, {processor:.0f} s of processor"
    print(f"{n_weights:,} weights, {tokens:,} tokens, {took}; missed: {missed or 'nothing'}")
    rounded = {name: {key: round(float(value), 4) for key, value in each.items()} for name, each in found.items()}
    about = {"tokens": tokens, "weights": n_weights, "seconds": round(seconds, 1), "cpu_seconds": round(processor, 1)}
    figures = {"ratio": round(float(ratio), 4), **about, "held_out": rounded, "samples": made, "sha256": sha}
    line = json.dumps(figures | {"must": MUST, "aim": AIM})
    if arguments.out is not None:
        (arguments.out / "figures.json").write_text(line, encoding="utf-8")
    print(line)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
