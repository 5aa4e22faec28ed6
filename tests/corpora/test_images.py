"""Folders of images: discovery, groups, and images that are left out."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from unitscope.corpora import load_corpus
from unitscope.corpora.base import corpus_notes
from unitscope.errors import CorpusError
from unitscope.sites import Item
from unitscope.study.prepare import skipped_of


@pytest.fixture
def street(tmp_path: Path) -> Path:
    for name in ("train", "trainannot", "val", "valannot"):
        (tmp_path / name).mkdir()
    for split, stems in (("train", ("v1_001", "v1_002", "v2_001")), ("val", ("v3_001",))):
        for stem in stems:
            PIL.Image.fromarray(np.full((6, 8, 3), 9, np.uint8)).save(tmp_path / split / f"{stem}.png")
            PIL.Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / f"{split}annot" / f"{stem}.png")
    (tmp_path / "classes.json").write_text(json.dumps({"classes": [{"index": 0, "name": "sky"}]}))
    return tmp_path


def test_items_groups_and_splits(street: Path) -> None:
    corpus = load_corpus(str(street), max_items=2)
    assert [(item.id, item.group) for item in corpus] == [("v1_001", "v1"), ("v1_002", "v1")]
    item = next(iter(load_corpus(f"{street}:val")))
    assert item.group == "v3"
    image = item.grids["image"]
    assert (image.height, image.width, image.classes) == (6, 8, ("sky",))
    back = Item.from_json(json.loads(json.dumps(item.to_json()))).grids["image"]
    assert (back.path, back.n_sites) == (image.path, 48)
    with pytest.raises(CorpusError, match="has no split 'vall'"):
        load_corpus(f"{street}:vall")


def test_a_split_is_found_by_its_own_path_and_the_user_hears_of_masks(street: Path) -> None:
    by_path, by_name = load_corpus(str(street / "val")), load_corpus(f"{street}:val")
    assert by_path.fingerprint() == by_name.fingerprint()
    assert by_path.name == by_name.name
    assert next(iter(by_path)).grids["image"].classes == ("sky",)
    assert corpus_notes(by_path) == ("labels of 'val' are from 'valannot'",)
    (street / "classes.json").unlink()
    alone = load_corpus(str(street / "val"))
    assert next(iter(alone)).grids["image"].classes == ()
    assert corpus_notes(alone) == ("'val' has no masks beside it ('valannot' with classes.json): no labels are known",)


def test_bad_images_are_left_out_and_counted(street: Path) -> None:
    before = load_corpus(str(street)).fingerprint()
    whole = (street / "train" / "v1_001.png").read_bytes()
    (street / "train" / "v1_001.png").write_bytes(whole[:40])
    PIL.Image.new("L", (3, 3)).save(street / "trainannot" / "v1_002.png")
    corpus = load_corpus(str(street), max_items=9)
    assert [item.id for item in corpus] == ["v2_001"]
    assert sorted(skipped_of(corpus)) == ["v1_001.png", "v1_002.png"]
    assert load_corpus(str(street)).fingerprint() != before
    (street / "trainannot" / "v2_001.png").unlink()
    with pytest.raises(CorpusError, match=r"No image of .* can be used"):
        list(load_corpus(str(street)))
