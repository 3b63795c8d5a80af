"""Evidence comes back from a file as it went in, or with an error that says what to do."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open
from safetensors.numpy import save_file

from hexplain_widgets.evidence import (
    Decomposition,
    Evidence,
    Layer,
    Node,
    Prediction,
    Provenance,
    store,
)

IN_ONE_FOLDER = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIZE = 12
words = st.text(max_size=8)
counts = st.integers(0, 10**6)
numbers = st.floats(allow_nan=False, allow_infinity=False)
finite32 = st.floats(-1e6, 1e6, width=32)
maps = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=4), elements=finite32
)
pictures = hnp.arrays(np.uint8, st.just((2, 3, 3)))


def nodes_above(children: st.SearchStrategy[tuple[Node, ...]]) -> st.SearchStrategy[Node]:
    return st.builds(
        Node,
        layer=words,
        channel=counts,
        position=st.tuples(counts, counts),
        value=numbers,
        contribution=numbers,
        share=numbers,
        patch=maps,
        offset=st.just((0, 0)),
        shape=st.just((SIZE, SIZE)),
        box=st.tuples(counts, counts, counts, counts),
        also=st.lists(counts, max_size=3).map(tuple),
        negated=st.booleans(),
        unclipped=st.booleans(),
        activated=st.none() | counts,
        completeness=st.none() | numbers,
        picture=st.none() | pictures,
        children=children,
        estimate=st.none() | numbers,
        agreement=st.none() | numbers,
    )


leaves = nodes_above(st.just(()))
trees = nodes_above(st.lists(leaves, max_size=2).map(tuple))
predictions = st.builds(Prediction, index=counts, name=words, probability=numbers, logit=numbers)
layers = st.builds(
    Layer,
    name=words,
    type=words,
    shape=st.tuples(counts, counts, counts),
    stage=st.none() | counts,
    receptive_field=st.none() | st.tuples(counts, counts),
)
plain = st.one_of(st.booleans(), counts, numbers, words, st.none(), st.tuples(words, words))
provenances = st.builds(
    Provenance,
    method=words,
    model=words,
    target=words,
    settings=st.dictionaries(words, plain, max_size=3),
    seed=st.none() | counts,
    versions=st.dictionaries(words, words, max_size=2),
)
decompositions = st.builds(
    Decomposition,
    image=hnp.arrays(np.uint8, st.just((SIZE, SIZE, 3))),
    predictions=st.lists(predictions, max_size=2).map(tuple),
    target=predictions,
    layers=st.lists(layers, max_size=2).map(tuple),
    root=trees,
    provenance=provenances,
    notes=st.lists(words, max_size=2).map(tuple),
)


def small_node(**changes: Any) -> Node:
    node = Node(
        layer="stage3",
        channel=7,
        position=(1, 2),
        value=2.5,
        contribution=1.5,
        share=0.5,
        patch=np.arange(6, dtype=np.float32).reshape(2, 3),
        offset=(0, 1),
        shape=(4, 4),
        box=(0, 0, 8, 8),
    )
    return replace(node, **changes)


def decomposition() -> Decomposition:
    target = Prediction(0, "house", 0.75, 3.0)
    root = small_node(children=(small_node(channel=1, picture=np.ones((2, 2, 3), np.uint8)),))
    return Decomposition(
        image=np.zeros((8, 8, 3), np.uint8),
        predictions=(target,),
        target=target,
        layers=(Layer("stage3", "ReLU", (16, 4, 4), 3, (5, 5)),),
        root=root,
        provenance=Provenance("decompose", "CNN", "house", {"top_k": 3, "layers": ("a", "b")}, 0),
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return store.save(decomposition(), tmp_path / "tree.hx")


def rewritten(path: Path, change: Any) -> Path:
    """The same file with its description changed and its digest made to match."""
    with safe_open(path, framework="numpy") as file:
        entry = json.loads(file.metadata()[store.ENTRY])
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(entry, arrays)
    entry["digest"] = store._digest(entry.get("value"), arrays)
    save_file(arrays, path, metadata={store.ENTRY: json.dumps(entry)})
    return path


# the checker of signatures looks at one item of each tuple, taken at random
@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")
@IN_ONE_FOLDER
@given(evidence=st.one_of(decompositions, trees, layers, predictions, provenances))
def test_whatever_is_saved_is_loaded_equal(evidence: Evidence, tmp_path: Path) -> None:
    assert store.load(store.save(evidence, tmp_path / "any.hx")) == evidence


def test_tuples_come_back_as_tuples(saved: Path) -> None:
    loaded = store.load(saved)
    assert isinstance(loaded, Decomposition)
    assert loaded.provenance.settings["layers"] == ("a", "b")


def test_a_view_of_an_array_comes_back_with_its_values(tmp_path: Path) -> None:
    turned = small_node(patch=np.arange(6, dtype=np.float32).reshape(3, 2).T)
    assert store.load(store.save(turned, tmp_path / "node.hx")) == turned


def test_numbers_of_numpy_come_back_equal(tmp_path: Path) -> None:
    node = small_node(value=np.float64(0.1))
    assert store.load(store.save(node, tmp_path / "node.hx")) == node


@pytest.mark.usefixtures("unchecked")
def test_a_whole_number_in_the_place_of_a_fraction_comes_back_equal(tmp_path: Path) -> None:
    node = small_node(value=3)
    assert store.load(store.save(node, tmp_path / "node.hx")) == node


def test_any_suffix_will_do(tmp_path: Path) -> None:
    assert store.load(store.save(small_node(), tmp_path / "node")) == small_node()


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(saved: Path) -> None:
    store.save(small_node(), saved)
    assert store.load(saved) == small_node()
    assert list(saved.parent.iterdir()) == [saved]


def test_a_failed_save_leaves_the_old_file(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="not a finite number"):
        store.save(small_node(value=float("nan")), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.usefixtures("unchecked")
def test_only_evidence_is_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"cannot save dict: evidence was expected .*Decomposition"):
        store.save({}, tmp_path / "x.hx")  # type: ignore[arg-type]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the folder .*gone was expected.*make it first"):
        store.save(small_node(), tmp_path / "gone" / "x.hx")


def test_an_array_with_nan_is_not_saved(tmp_path: Path) -> None:
    patch = np.full((2, 3), np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match=r"Node\.patch has values that are not finite"):
        store.save(small_node(patch=patch), tmp_path / "x.hx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*x\.hx.*check the name"):
        store.load(tmp_path / "x.hx")


@pytest.mark.parametrize("kept", [0, 4, 9, 200, -1])
def test_a_truncated_file_is_refused(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"cannot load .*damaged.*take another copy"):
        store.load(saved)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "x.hx").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="damaged"):
        store.load(tmp_path / "x.hx")
    assert not (tmp_path / "ran").exists()


def test_weights_of_a_network_are_no_evidence(tmp_path: Path) -> None:
    save_file({"w": np.zeros(3)}, tmp_path / "x.hx")
    with pytest.raises(ValueError, match="it holds no evidence"):
        store.load(tmp_path / "x.hx")


def test_a_newer_file_asks_for_a_newer_version(saved: Path) -> None:
    newer = rewritten(saved, lambda entry, arrays: entry.update(format=2))
    with pytest.raises(ValueError, match=r"format 2, newer than 1.*install a newer"):
        store.load(newer)


def test_an_unknown_kind_of_evidence_is_refused(saved: Path) -> None:
    other = rewritten(saved, lambda entry, arrays: entry.update(kind="os.system"))
    with pytest.raises(ValueError, match=r"it holds 'os.system', not one of"):
        store.load(other)


WRONG = {
    "a fraction for a channel": (lambda v, a: v["root"].update(channel=1.5), r"root\.channel is"),
    "a text for a number": (lambda v, a: v["root"].update(value="1"), r"root\.value is str"),
    "true for a count": (lambda v, a: v["root"].update(channel=True), r"root\.channel is bool"),
    "three coordinates": (lambda v, a: v["root"].update(position=[1, 2, 3]), "has 3 items"),
    "a number for a list": (lambda v, a: v["root"].update(children=3), r"children is no list"),
    "a child that is no node": (lambda v, a: v["root"].update(children=[3]), r"children\[0\]"),
    "an unknown field": (lambda v, a: v.update(extra=1), "has not the fields of Decomposition"),
    "a missing field": (lambda v, a: v.pop("root"), "lacks the field root"),
    "an array that is not there": (lambda v, a: v.update(image={"array": "99"}), "image has no"),
    "an array of wrong type": (lambda v, a: a.update({"0": a["0"].astype(float)}), r"UInt8"),
    "an array of wrong shape": (lambda v, a: a.update({"0": a["0"][0]}), r"\(8, 3\) where"),
    "an infinite array": (lambda v, a: a.update({"1": a["1"] / 0.0}), "not finite"),
    "an infinite number": (lambda v, a: v["root"].update(value=1e308 * 10), "Infinity"),
    "a settings value in a dict": (
        lambda v, a: v["provenance"].update(settings=[["a", {}]]),
        r"settings\[0\]\[1\]",
    ),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_file_with_a_wrong_field_is_refused_by_the_name_of_the_field(
    saved: Path, case: str
) -> None:
    change, match = WRONG[case]
    rewritten(saved, lambda entry, arrays: change(entry["value"], arrays))
    with pytest.raises(ValueError, match=match):
        store.load(saved)


def test_a_description_without_a_value_is_refused(saved: Path) -> None:
    rewritten(saved, lambda entry, arrays: entry.pop("value"))
    with pytest.raises(ValueError, match="has not the fields of Decomposition"):
        store.load(saved)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every `(container, key)` of nested JSON."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    here = [(value, key) for key in keys]
    inner = [value[key] for key in keys if isinstance(value[key], dict | list)]
    return here + [place for item in inner for place in places(item)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words | st.just("array"), inner),
    max_leaves=3,
)


@settings(IN_ONE_FOLDER, max_examples=200)
@given(data=st.data())
def test_any_json_in_any_place_is_valid_evidence_or_a_value_error(
    data: st.DataObject, tmp_path: Path
) -> None:
    def change(entry: Any, arrays: Any) -> None:
        container, key = data.draw(st.sampled_from(places(entry)))
        container[key] = data.draw(json_values)

    path = rewritten(store.save(decomposition(), tmp_path / "tree.hx"), change)
    try:
        loaded = store.load(path)
    except ValueError as error:
        assert "cannot load" in str(error)
    else:
        assert store.load(store.save(loaded, path)) == loaded


def test_fields_that_do_not_hold_together_are_refused(saved: Path) -> None:
    def change(entry: Any, arrays: Any) -> None:
        entry["value"]["root"]["offset"] = [-1, 0]

    with pytest.raises(ValueError, match=r"cannot load .* expected it inside the map"):
        store.load(rewritten(saved, change))


def test_deeply_nested_json_is_refused(saved: Path) -> None:
    nested = "[" * 100_000 + "]" * 100_000
    save_file({"w": np.zeros(3)}, saved, metadata={store.ENTRY: nested})
    with pytest.raises(ValueError, match="cannot load"):
        store.load(saved)


def test_an_edited_file_does_not_match_its_digest(saved: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="does not match its digest"):
        store.load(saved)


@settings(IN_ONE_FOLDER, max_examples=300)
@given(data=st.data())
def test_flipped_bytes_give_the_same_evidence_or_a_value_error(
    data: st.DataObject, tmp_path: Path
) -> None:
    path = store.save(decomposition(), tmp_path / "tree.hx")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        loaded = store.load(path)
    except ValueError as error:
        assert "cannot load" in str(error)
    else:
        assert loaded == decomposition()
