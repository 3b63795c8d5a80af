"""Is-a hierarchies: what they are made from, how concepts are called, what lies below them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

import hexplain_widgets as hx
from hexplain_widgets.data.hierarchy.hierarchy import Hierarchy
from hexplain_widgets.demo.vocabulary import SCENES
from tests import wordnets

ANIMALS = {"animal": {"dog": ["husky", "pug"], "cat": ["tabby"]}, "pet": {"dog": None, "cat": []}}
NETWORK = ("pug", "tabby", "teapot", "husky")
CRANES = {
    "nodes": {
        "thing": {"name": "entity", "children": ["wader", "hoist"]},
        "wader": {"name": "wading bird, wader", "children": ["n1"]},
        "hoist": {"name": "hoist", "children": ["n2"]},
        "n1": {"name": "crane", "parents": ["wader"], "class_index": 1},
        "n2": {"name": "crane, derrick", "parents": ["hoist"], "class_index": 0},
    }
}
SWIMWEAR = {
    "nodes": {
        "suit": {"name": "swimsuit", "children": ["n3", "n4"]},
        "n3": {"name": "maillot", "class_index": 1, "parents": []},
        "n4": {"name": "maillot, tank suit", "class_index": 2, "parents": []},
        "n5": {"name": "wing", "class_index": 0, "parents": []},
        "n6": {"name": "minibus", "class_index": 3, "parents": []},
    }
}


def cranes() -> Hierarchy:
    return Hierarchy.of(CRANES)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "hierarchy.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# what a hierarchy is made from


def test_a_nested_dict_gives_concepts_parents_first_and_siblings_in_their_order() -> None:
    assert Hierarchy.of(ANIMALS).concepts == (
        "animal", "pet", "dog", "husky", "pug", "cat", "tabby",
    )  # fmt: skip


def test_a_name_that_stands_in_two_places_has_two_parents() -> None:
    hierarchy = Hierarchy.of(ANIMALS)
    assert hierarchy.parents("dog") == ("animal", "pet")
    assert hierarchy.children("dog") == ("husky", "pug")


def test_lists_may_hold_dicts() -> None:
    hierarchy = Hierarchy.of({"animal": ["snail", {"dog": ["husky"]}]})
    assert hierarchy.children("animal") == ("snail", "dog")
    assert hierarchy.leaves() == ("snail", "husky")


def test_a_networkx_graph_has_edges_from_parent_to_child() -> None:
    graph = nx.DiGraph([("animal", "dog"), ("pet", "dog"), ("dog", "husky")])
    assert Hierarchy.of(graph).parents("dog") == ("animal", "pet")


def test_a_networkx_graph_names_its_nodes_and_their_classes() -> None:
    graph = nx.DiGraph([(10, 11)])
    graph.nodes[10]["name"] = "animal"
    graph.nodes[11].update(name="dog, domestic dog", class_index=2)
    hierarchy = Hierarchy.of(graph)
    assert hierarchy.concepts == ("animal", "dog")
    assert hierarchy.id_of("dog") == "11"
    assert hierarchy.matched(3).classes["animal"] == (2,)


def test_the_users_graph_is_not_changed() -> None:
    graph = nx.DiGraph([("animal", "dog")])
    Hierarchy.of(graph).matched(["dog"])
    assert dict(graph.nodes(data=True)) == {"animal": {}, "dog": {}}


def test_a_table_of_nodes_has_ids_synonyms_and_class_indices() -> None:
    hierarchy = cranes()
    assert hierarchy.children("entity") == ("wading bird", "hoist")
    assert hierarchy.synonyms("hoist") == ("hoist",)
    assert hierarchy.id_of("wader") == "wader"


def test_children_alone_or_parents_alone_make_an_edge_of_a_table() -> None:
    table = {"a": {"children": ["b"]}, "b": {"parents": []}, "c": {"parents": ["b"]}}
    assert Hierarchy.of({"nodes": table}).ancestors("c") == ("a", "b")


@pytest.mark.parametrize("value", [ANIMALS, CRANES], ids=["nested", "table"])
def test_a_json_file_gives_what_its_dict_gives(value: dict, tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(value))
    assert Hierarchy.of(path) == Hierarchy.of(str(path)) == Hierarchy.of(value)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = written(
        tmp_path, json.dumps({"Tier": ["Kätzchen"]}, ensure_ascii=False).encode("utf-8-sig")
    )
    assert Hierarchy.of(path).leaves() == ("Kätzchen",)


def test_a_hierarchy_is_taken_as_it_is() -> None:
    hierarchy = cranes()
    assert Hierarchy.of(hierarchy) is hierarchy


@pytest.mark.parametrize(
    "hierarchy",
    [cranes(), cranes().select(["entity", "n1"]), Hierarchy.of({"odd": [1, 3], "one": 1}),
     Hierarchy.of(ANIMALS).matched(NETWORK).hierarchy],
    ids=["table", "selected", "numbers", "matched"],
)  # fmt: skip
def test_the_table_of_a_hierarchy_gives_it_again_through_json(hierarchy: Hierarchy) -> None:
    again = Hierarchy.of(json.loads(json.dumps(hierarchy.table())))
    assert again == hierarchy
    assert again.concepts == hierarchy.concepts


def test_hierarchies_that_differ_in_one_arrow_differ() -> None:
    assert Hierarchy.of({"a": ["b"], "c": []}) != Hierarchy.of({"a": [], "c": ["b"]})


def test_a_hierarchy_prints_as_a_tree_with_each_branch_once() -> None:
    assert str(Hierarchy.of({"animal": {"dog": ["pug"]}, "pet": {"dog": []}})) == (
        "animal\n  dog\n    pug\npet\n  dog …"
    )
    assert repr(Hierarchy.of(ANIMALS)) == "Hierarchy(7 concepts, 3 leaves)"


# names


def test_the_first_synonym_is_the_name_and_any_finds_the_concept() -> None:
    hierarchy = Hierarchy.of({"animal": ["dog, domestic dog, Canis familiaris"]})
    assert hierarchy.leaves() == ("dog",)
    for name in ("dog", "domestic dog", "Domestic_Dog", "dog, domestic dog, Canis familiaris"):
        assert hierarchy.find(name) == "dog"


def test_concepts_that_share_a_name_are_told_apart_by_what_they_are_a_kind_of() -> None:
    assert cranes().leaves() == ("crane (wading bird)", "crane (hoist)")


def test_concepts_of_one_name_and_one_parent_are_told_apart_by_synonym_or_id() -> None:
    assert Hierarchy.of(SWIMWEAR).children("swimsuit") == ("maillot (n3)", "maillot (tank suit)")


def test_a_name_as_the_user_wrote_it_stays_and_the_longer_one_gives_way() -> None:
    hierarchy = Hierarchy.of({"suit": ["maillot", "maillot, tank suit"]})
    assert hierarchy.leaves() == ("maillot", "maillot (suit)")


def test_names_do_not_depend_on_the_order_of_nodes() -> None:
    rows = CRANES["nodes"]
    turned = {"nodes": {id: rows[id] for id in reversed(rows)}}
    assert set(Hierarchy.of(turned)) == set(cranes())


def test_a_concept_keeps_its_name_when_its_namesake_is_left_out() -> None:
    assert cranes().select(["n1"]).concepts == ("crane (wading bird)",)


def test_a_synonym_of_one_concept_that_is_the_first_of_another_finds_the_other() -> None:
    assert Hierarchy.of({"thing": ["projectile, missile", "missile"]}).find("missile") == "missile"


def test_a_shared_name_is_refused_with_the_names_to_call_the_concepts_by() -> None:
    with pytest.raises(
        ValueError,
        match=r"got 'crane', which 2 concepts are called; expected one; call it"
        r" 'crane \(wading bird\)' or 'crane \(hoist\)'",
    ):
        cranes().find("crane")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got 'huskey', which is no concept; .*'husky'.*; take"):
        Hierarchy.of(ANIMALS).find("huskey")


def test_a_name_outside_a_selection_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        ValueError, match=r"'pug', which is not among the selected .* select it too"
    ):
        Hierarchy.of(ANIMALS).select(["dog"]).find("pug")


@pytest.mark.usefixtures("unchecked")
def test_a_number_is_no_name() -> None:
    with pytest.raises(TypeError, match=r"got 3 \(int\) as a concept; expected a name; see"):
        Hierarchy.of(ANIMALS).find(3)


def test_concepts_are_in_a_hierarchy_by_name() -> None:
    assert "dog" in Hierarchy.of(ANIMALS)
    assert "crane" not in cranes()
    assert 3 not in cranes()


# the graph


def test_ancestors_descendants_and_leaves_follow_every_way() -> None:
    hierarchy = Hierarchy.of(ANIMALS)
    assert hierarchy.ancestors("pug") == ("animal", "pet", "dog")
    assert hierarchy.descendants("pet") == ("dog", "husky", "pug", "cat", "tabby")
    assert hierarchy.leaves("dog") == ("husky", "pug")
    assert hierarchy.leaves("pug") == ("pug",)
    assert hierarchy.roots == ("animal", "pet")


def test_a_level_has_the_concepts_at_its_depth_and_the_leaves_above_it() -> None:
    hierarchy = Hierarchy.of({"animal": {"dog": ["pug"], "snail": None}, "car": None})
    assert hierarchy.cut(0) == ("animal", "car")
    assert hierarchy.cut(1) == ("dog", "snail", "car")
    assert hierarchy.cut(7) == hierarchy.leaves()


def test_depth_is_the_longest_way_from_a_root() -> None:
    assert Hierarchy.of({"a": {"b": ["c"], "c": None}}).depth("c") == 2


def test_a_depth_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="got depth -1; expected 0 for the roots"):
        cranes().cut(-1)


def test_a_selection_keeps_who_lies_below_whom_by_the_shortest_arrows() -> None:
    chosen = Hierarchy.of(ANIMALS).select(["animal", "pug", "dog"])
    assert chosen.concepts == ("animal", "dog", "pug")
    assert chosen.parents("pug") == ("dog",)


def test_a_selection_across_a_gap_joins_what_is_left() -> None:
    assert Hierarchy.of(ANIMALS).select(["animal", "pug"]).parents("pug") == ("animal",)


def test_a_selected_concept_keeps_the_classes_of_all_that_was_below_it() -> None:
    matched = Hierarchy.of(ANIMALS).select(["animal", "dog"]).matched(NETWORK)
    assert matched.classes == {"animal": (0, 1, 3), "dog": (0, 3)}


def test_leaves_below_no_selected_concept_need_not_be_classes() -> None:
    assert Hierarchy.of(ANIMALS).select(["cat"]).matched(["tabby"]).classes == {"cat": (0,)}


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [([], ValueError, "got no concept to select; expected at least one name; see"),
     ("dog", TypeError, "got the text 'dog' as concepts; expected a list of names; put it in")],
)  # fmt: skip
def test_a_selection_is_a_list_of_at_least_one_name(names, kind, message) -> None:
    with pytest.raises(kind, match=message):
        Hierarchy.of(ANIMALS).select(names)


def test_of_a_chain_with_the_same_classes_the_lowest_is_left() -> None:
    hierarchy = Hierarchy.of({"entity": {"being": {"cat": ["tabby"], "dog": ["pug", "husky"]}}})
    assert hierarchy.collapsed().concepts == ("being", "tabby", "dog", "pug", "husky")


def test_a_concept_that_is_itself_a_class_is_no_double_of_the_one_below_it() -> None:
    hierarchy = Hierarchy.of({"dog": 0}).table()["nodes"]
    hierarchy["dog"]["children"] = ["pug"]
    hierarchy["pug"] = {"class_index": 1, "parents": ["dog"]}
    assert Hierarchy.of({"nodes": hierarchy}).collapsed().concepts == ("dog", "pug")


# random graphs


@st.composite
def graphs(draw: st.DrawFn) -> nx.DiGraph:
    """A directed acyclic graph: arrows go up the numbers, and names do not tell the number."""
    count = draw(st.integers(1, 9))
    names = draw(st.permutations([f"concept {i}" for i in range(count)]))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    graph = nx.DiGraph()
    graph.add_nodes_from(draw(st.permutations(names)))
    graph.add_edges_from((names[a], names[b]) for a, b in chosen)
    return graph


@settings(deadline=None, max_examples=50)
@given(graphs())
def test_parents_stand_before_children(graph: nx.DiGraph) -> None:
    at = {name: i for i, name in enumerate(Hierarchy.of(graph))}
    assert len(at) == len(graph)
    assert all(at[a] < at[b] for a, b in graph.edges)


@settings(deadline=None, max_examples=50)
@given(graphs())
def test_ancestors_and_descendants_are_those_of_networkx(graph: nx.DiGraph) -> None:
    hierarchy = Hierarchy.of(graph)
    for name in graph:
        assert set(hierarchy.ancestors(name)) == nx.ancestors(graph, name)
        assert set(hierarchy.descendants(name)) == nx.descendants(graph, name)


@settings(deadline=None, max_examples=50)
@given(graphs(), st.data())
def test_a_selection_keeps_reachability_with_the_fewest_arrows(graph, data) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, unique=True))
    whole, part = Hierarchy.of(graph), Hierarchy.of(graph).select(names)
    for name in names:
        assert set(part.descendants(name)) == set(whole.descendants(name)) & set(names)
        for child in part.children(name) if len(names) < len(graph) else ():
            assert not set(part.ancestors(child)) & set(part.descendants(name))


@settings(deadline=None, max_examples=50)
@given(graphs(), st.integers(0, 5))
def test_a_level_covers_each_leaf_and_no_concept_of_it_lies_below_another(graph, depth) -> None:
    hierarchy = Hierarchy.of(graph)
    cut = hierarchy.cut(depth)
    assert not [c for c in cut if set(hierarchy.ancestors(c)) & set(cut)]
    for leaf in hierarchy.leaves():
        assert {leaf, *hierarchy.ancestors(leaf)} & set(cut)


@settings(deadline=None, max_examples=50)
@given(graphs())
def test_collapsing_leaves_one_concept_for_each_set_of_classes_at_least(graph) -> None:
    hierarchy = Hierarchy.of(graph)
    kept = hierarchy.collapsed()
    assert {hierarchy.leaves(c) for c in kept} == {hierarchy.leaves(c) for c in hierarchy}
    assert all(kept.leaves(c) != kept.leaves(b) for c in kept for b in kept.children(c))


@settings(deadline=None, max_examples=50)
@given(graphs())
def test_the_classes_of_a_concept_are_those_of_its_leaves(graph: nx.DiGraph) -> None:
    hierarchy = Hierarchy.of(graph)
    names = sorted(hierarchy.leaves())
    for concept, classes in hierarchy.matched(names).classes.items():
        assert [names[i] for i in classes] == sorted(hierarchy.leaves(concept))


def worded(letters: str) -> st.SearchStrategy[str]:
    return st.text(letters, min_size=1).filter(lambda text: text.strip(" ,"))


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(worded("ab,( )"), st.lists(worded("xy,"))))
def test_every_concept_has_a_name_of_its_own_that_finds_it(tree: dict) -> None:
    if tree:
        hierarchy = Hierarchy.of(tree)
        assert len(set(hierarchy.concepts)) == len(hierarchy)
        assert all(hierarchy.find(name) == name for name in hierarchy)


# a network's classes


def test_leaves_are_classes_by_name() -> None:
    matched = Hierarchy.of(ANIMALS).matched(NETWORK)
    assert matched.classes["dog"] == (0, 3)
    assert matched["animal"] == matched["pet"] == (0, 1, 3)


def test_the_networks_classes_in_no_concept_are_told() -> None:
    matched = Hierarchy.of(ANIMALS).matched(NETWORK)
    assert matched.missing == (2,)
    assert "1 of the network's 4 classes are in no concept: teapot" in matched.note


def test_nothing_is_told_where_each_class_has_its_concept() -> None:
    assert Hierarchy.of({"dog": ["pug"]}).matched(["pug"]).note is None


def test_concepts_are_evidence_with_parents_and_classes() -> None:
    concepts = Hierarchy.of(ANIMALS).matched(NETWORK).concepts
    assert concepts[2] == hx.Concept("dog", ("animal", "pet"), (0, 3))


def test_names_agree_whatever_their_case_and_underscores() -> None:
    assert Hierarchy.of({"fish": ["great white shark"]}).matched(["Great_White_Shark"])["fish"] == (
        0,
    )


def test_an_inner_concept_may_be_a_class_too() -> None:
    matched = Hierarchy.of({"animal": {"dog": ["pug"]}}).matched(["pug", "dog"])
    assert matched.classes == {"animal": (0, 1), "dog": (0, 1), "pug": (0,)}


def test_leaves_may_be_class_indices_and_get_the_networks_names() -> None:
    matched = Hierarchy.of({"dog": [0, np.int64(3)], "cat": 1}).matched(NETWORK)
    assert matched.classes == {"dog": (0, 3), "pug": (0,), "husky": (3,), "cat": (1,)}


def test_class_indices_alone_go_with_a_network_without_names() -> None:
    assert Hierarchy.of({"dog": [0, 3]}).matched(4).classes["dog"] == (0, 3)
    assert Hierarchy.of({"dog": [0, 3]}).matched(["class 0", "class 1", "class 2", "class 3"])[
        "dog"
    ] == (0, 3)


def test_a_class_given_by_name_and_by_index_is_one_concept() -> None:
    matched = Hierarchy.of({"dog": ["husky", "pug"], "pet": [0]}).matched(NETWORK)
    assert matched.hierarchy.parents("pug") == ("dog", "pet")
    assert matched["class 0"] == (0,)
    assert len(matched.hierarchy) == 4


def test_matched_names_find_concepts_too() -> None:
    hierarchy = Hierarchy.of({"thing": {"dog, hound": 0}}).matched(["doggy"]).hierarchy
    assert hierarchy.find("doggy") == "dog"


def test_matching_again_gives_the_same() -> None:
    once = Hierarchy.of({"dog": [0, "husky"], "cat": 1}).matched(NETWORK)
    assert once.hierarchy.matched(NETWORK) == once


def test_class_indices_of_a_table_go_by_order_only_where_names_agree() -> None:
    assert cranes().matched(2)["crane (wading bird)"] == (1,)
    with pytest.raises(ValueError, match=r"got leaves that are no class of the network \(2\):"):
        cranes().matched(["Kran", "Kranich"])


def test_a_table_matched_by_order_holds_for_names_of_another_language() -> None:
    hierarchy = cranes().matched(2).hierarchy
    assert hierarchy.matched(["Kran", "Kranich"])["wader"] == (1,)


def test_a_network_in_another_order_is_matched_by_name() -> None:
    matched = Hierarchy.of(SWIMWEAR).restricted(["minibus", "wing"]).matched(["minibus", "wing"])
    assert matched.classes == {"wing": (1,), "minibus": (0,)}


def test_what_names_leave_open_is_settled_by_order() -> None:
    matched = Hierarchy.of(SWIMWEAR).matched(["wing", "maillot", "maillot", "minibus"])
    assert matched["n3"] == (1,)
    assert matched["n4"] == (2,)


def test_a_class_that_may_be_several_concepts_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"got the class name 'crane' at 0, which may be 'crane \(wading bird\)',"
        r" 'crane \(hoist\)'; expected each class to be one concept; give classes their numbers",
    ):
        cranes().matched(["crane", "plane"])


def test_classes_of_one_name_are_refused_where_only_names_can_tell() -> None:
    with pytest.raises(ValueError, match="got the class name 'pug' at 0, 1, which may be 'pug';"):
        Hierarchy.of({"dog": ["pug"]}).matched(["pug", "pug"])


def test_a_namesake_that_has_no_class_index_is_not_the_class() -> None:
    table = {
        "a": {"name": "tank", "parents": [], "children": ["b"]},
        "b": {"name": "tank, army tank", "parents": [], "class_index": 0},
    }
    assert Hierarchy.of({"nodes": table}).matched(["tank"])["b"] == (0,)


def test_unknown_leaves_are_refused_with_the_nearest_class() -> None:
    with pytest.raises(
        ValueError,
        match=r"got leaves that are no class of the network \(1\): 'huskie'; expected each"
        r" to be one of its 4 classes, the nearest to 'huskie' are 'husky'"
        r".*hierarchy\.restricted\(classes\)$",
    ):
        Hierarchy.of({"dog": ["huskie", "pug"]}).matched(NETWORK)


def test_a_restricted_hierarchy_has_no_leaf_that_is_no_class() -> None:
    hierarchy = Hierarchy.of({"dog": ["huskie", "pug"], "fish": ["eel"]}).restricted(NETWORK)
    assert hierarchy.matched(NETWORK).classes == {"dog": (0,), "pug": (0,)}


def test_a_restricted_selection_stays_selected() -> None:
    assert cranes().select(["wader", "hoist"]).restricted(["derrick"]).concepts == ("hoist",)


def test_a_hierarchy_without_any_class_cannot_be_restricted() -> None:
    with pytest.raises(ValueError, match=r"got leaves that are no class of the network \(3\):"):
        Hierarchy.of(ANIMALS).restricted(["teapot"])


def test_a_class_index_beyond_the_network_is_refused() -> None:
    with pytest.raises(ValueError, match="got class 9 for the concept 'class 9'; expected a class"
                                         " from 0 to 3, as the network has; correct"):  # fmt: skip
        Hierarchy.of({"dog": [9]}).matched(NETWORK)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("classes", "kind", "message"),
    [("pug", TypeError, r"got 'pug' \(str\) as classes; expected the names"),
     (None, TypeError, r"got None \(NoneType\) as classes; expected the names"),
     (0, ValueError, "got 0 as classes; expected at least one class; pass"),
     ([], ValueError, r"got \[\] as classes; expected at least one class; pass")],
)  # fmt: skip
def test_classes_are_names_or_their_number(classes, kind, message) -> None:
    with pytest.raises(kind, match=message):
        Hierarchy.of(ANIMALS).matched(classes)


# classes whose ids are known


def test_names_of_a_network_with_their_ids_find_their_concepts() -> None:
    hierarchy = Hierarchy.of_classes(["crane", "crane bird"], ["n2", "n1"], among=CRANES)
    assert hierarchy.find("crane bird") == "crane (wading bird)"
    assert hierarchy.matched(["crane", "crane bird"])["wader"] == (1,)


def test_what_is_above_none_of_the_ids_is_left_out() -> None:
    hierarchy = Hierarchy.of_classes(["crane bird"], ["n1"], among=CRANES)
    assert hierarchy.concepts == ("entity", "wading bird", "crane (wading bird)")


def test_names_and_ids_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="got 2 names and 1 ids; expected an id for each class"):
        Hierarchy.of_classes(["a", "b"], ["n1"], among=CRANES)


def test_an_id_stands_once() -> None:
    with pytest.raises(ValueError, match="got 2 ids of 1 concepts; expected another for each"):
        Hierarchy.of_classes(["a", "b"], ["n1", "n1"], among=CRANES)


def test_the_names_of_torchvisions_weights_find_each_class_by_their_own_ids() -> None:
    names = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    table = {f"n{i:04d}": {"name": f"{n}, number {i}", "parents": []} for i, n in enumerate(names)}
    hierarchy = Hierarchy.of_classes(names, list(table), among={"nodes": table})
    matched = hierarchy.matched(names)
    assert all(matched[id] == (int(id[1:]),) for id in table)


# what is refused


@pytest.mark.parametrize(
    ("tree", "cycle"),
    [({"a": {"b": {"c": ["a"]}}}, "a → b → c → a"), ({"a": ["a"]}, "a → a"),
     (nx.DiGraph([("a", "b"), ("b", "a")]), "a → b → a"),
     ({"nodes": {"a": {"parents": ["b"]}, "b": {"parents": ["a"]}}}, "b → a → b|a → b → a")],
    ids=["nested", "itself", "networkx", "table"],
)  # fmt: skip
def test_a_cycle_is_refused_and_printed(tree, cycle: str) -> None:
    with pytest.raises(ValueError, match=f"got a cycle: ({cycle}); expected an is-a hierarchy, .*"
                                         "; take out one of these arrows"):  # fmt: skip
        Hierarchy.of(tree)


def test_a_dict_that_holds_itself_is_a_cycle() -> None:
    tree: dict = {}
    tree["a"] = tree
    with pytest.raises(ValueError, match="got a cycle: a → a; expected"):
        Hierarchy.of(tree)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [(7, TypeError, "got int as a hierarchy; expected a nested dict .*; convert it"),
     (["dog"], TypeError, "got list as a hierarchy; expected a nested dict"),
     (nx.Graph(), TypeError, "got an undirected networkx graph as a hierarchy; expected a DiGraph"),
     (nx.DiGraph([(5, "class 5")]), ValueError, "two nodes that are both 'class 5' as text"),
     (nx.DiGraph([((1, 2), "b")]), ValueError, r"got \(1, 2\) \(tuple\) as a concept below"),
     ({}, ValueError, "got a hierarchy without concepts; expected at least one; give"),
     ({"dog": "pug"}, ValueError, "got the text 'pug' below 'dog'; expected .*; put it in"),
     ({"a": {"dog": {1, 2}}}, ValueError, "got set below 'a' → 'dog'; expected a dict"),
     ({"dog": True}, ValueError, "got bool below 'dog'; expected"),
     ({"dog": 1.5}, ValueError, "got float below 'dog'; expected"),
     ({"dog": [["pug"]]}, ValueError, r"got \['pug'\] \(list\) as a concept below 'dog'; expected"),
     ({"dog": [None]}, ValueError, r"got None \(NoneType\) as a concept below 'dog'; expected"),
     ({"dog": [-1]}, ValueError, "got -1 as the class index of .* expected a whole number from 0"),
     ({"dog": {" , ": []}}, ValueError, "got an empty name below 'dog'; expected the name"),
     ({"a": {"dog": 1}, "b": {"dog": 2}}, ValueError, "got 'dog' as class 1 and as class 2")],
)  # fmt: skip
def test_what_describes_no_hierarchy_is_refused(value, kind, message) -> None:
    with pytest.raises(kind, match=message):
        Hierarchy.of(value)


@pytest.mark.parametrize(
    ("row", "message"),
    [({"parents": ["b"]}, "got 'b' among the parents of 'a'; expected the id of a node .* add it"),
     ({"children": "b"}, "got str as children of 'a'; expected a list of ids; put it in brackets"),
     ({"parents": [], "name": 3}, r"got 3 \(int\) as a concept below the top; expected a name"),
     ({"parents": [], "class_index": "3"}, "got '3' as the class index of 'a'; expected a whole"),
     ({"parents": [], "display": 3}, "got int as the display name of 'a'; expected text; write")],
)  # fmt: skip
def test_a_damaged_node_of_a_table_is_refused(row: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Hierarchy.of({"nodes": {"a": row}})


def test_a_node_of_a_table_that_is_no_dict_is_refused() -> None:
    with pytest.raises(ValueError, match="got list as the node 'b' of a table; expected a dict"):
        Hierarchy.of({"nodes": {"a": {"parents": []}, "b": []}})


def test_display_names_of_a_table_are_each_their_own() -> None:
    rows = {i: {"parents": [], "display": "dog"} for i in "ab"}
    with pytest.raises(
        ValueError, match="concepts share a display name; expected each to have its"
    ):
        Hierarchy.of({"nodes": rows})


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", r"is no JSON that can be read \(Expecting property.*\); expected a nested dict"),
     (b"\xff\xfe\x00", "is no JSON that can be read"),
     ('{"dog": ["a"], "dog": ["b"]}', "the key 'dog' stands twice in one object"),
     ("[" * 100_000, r"is no JSON that can be read \(maximum recursion"),
     ('["dog"]', "holds list; expected an object of concepts as JSON; put the concepts")],
    ids=["cut off", "bytes", "twice", "deep", "list"],
)  # fmt: skip
def test_a_damaged_file_is_refused(text, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        Hierarchy.of(written(tmp_path, text))


def test_a_missing_file_is_refused_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file at '.*none\.json'; expected a hierarchy"):
        Hierarchy.of(tmp_path / "none.json")


# WordNet


@pytest.fixture
def searched(tmp_path: Path) -> Iterator[Path]:
    """The only folder in which nltk looks for a WordNet."""
    corpus = pytest.importorskip("nltk.corpus")
    reader = corpus.reader.wordnet.WordNetCorpusReader
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nltk.data.path", [str(tmp_path)])
        fresh = corpus.LazyCorpusLoader("wordnet", reader, "no other languages")
        patch.setattr(corpus, "wordnet", fresh)
        yield tmp_path
    for file in vars(fresh).get("_data_file_map", {}).values():  # nltk leaves its files open
        file.close()


@pytest.fixture
def wordnet(searched: Path) -> dict[str, str]:
    """nltk finds a small WordNet and no other: the numbers of its synsets by their words."""
    return wordnets.write(searched)


def test_wordnet_gives_all_that_the_classes_are_kinds_of(wordnet: dict[str, str]) -> None:
    pug, bird = wordnet["pug pug-dog"], wordnet["crane"]
    hierarchy = Hierarchy.wordnet([bird, pug])
    assert hierarchy.ancestors("pug") == ("entity", "animal", "domestic animal", "dog")
    assert hierarchy.synonyms("dog") == ("dog", "domestic dog", "Canis familiaris")
    assert hierarchy.matched(2)["animal"] == (0, 1)
    assert "machine" not in hierarchy


def test_synsets_may_be_given_by_name(wordnet: dict[str, str]) -> None:
    hierarchy = Hierarchy.wordnet(["pug.n.01", "crane.n.02"])
    assert hierarchy.find(wordnet["crane derrick"]) == "crane"
    assert hierarchy.parents("crane") == ("hoist",)


def test_namesakes_of_wordnet_are_told_apart(wordnet: dict[str, str]) -> None:
    assert Hierarchy.wordnet(["crane.n.01", "crane.n.02"]).leaves() == (
        "crane (bird)", "crane (hoist)",
    )  # fmt: skip


def test_a_single_thing_is_below_its_kind(wordnet: dict[str, str]) -> None:
    assert Hierarchy.wordnet(["laika.n.01"]).parents("Laika") == ("dog",)


def test_names_with_ids_of_wordnet_need_no_other_hierarchy(wordnet: dict[str, str]) -> None:
    names = ["crane bird", "crane"]
    hierarchy = Hierarchy.of_classes(names, ["crane.n.01", "crane.n.02"])
    assert hierarchy.matched(names)["bird"] == (0,)
    assert hierarchy.matched(names)["hoist"] == (1,)


@pytest.mark.parametrize("id", ["n00000009", "dgo.n.01", "dog.n.07", "dog", "tench, Tinca tinca"])
def test_what_is_no_synset_is_refused(id: str, wordnet: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"got '{id}', which WordNet 3.0 does not have; expected "
                                         "the number of a synset .*; correct it, or"):  # fmt: skip
        Hierarchy.wordnet([id])


def test_a_synset_is_one_class(wordnet: dict[str, str]) -> None:
    with pytest.raises(
        ValueError, match=r"got the synset 'dog\.n\.01' for class 0 and for class 2;"
    ):
        Hierarchy.wordnet(["dog.n.01", "pug.n.01", wordnet["dog domestic_dog Canis_familiaris"]])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("ids", ["dog.n.01", [], 3], ids=str)
def test_synsets_are_a_list(ids) -> None:
    with pytest.raises(ValueError, match="as synsets; expected a list of the synset of each class"):
        Hierarchy.wordnet(ids)


def test_without_the_corpus_the_error_says_the_command(searched: Path) -> None:
    with pytest.raises(LookupError, match=r"got nltk without a whole WordNet; .*; run "
                                          r"`python -m nltk\.downloader wordnet`"):  # fmt: skip
        Hierarchy.wordnet(["dog.n.01"])


def test_half_a_corpus_is_no_corpus(wordnet: dict[str, str], searched: Path) -> None:
    (searched / "corpora" / "wordnet" / "lexnames").unlink()
    with pytest.raises(LookupError, match="got nltk without a whole WordNet"):
        Hierarchy.wordnet(["dog.n.01"])


def test_without_nltk_the_error_says_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk.corpus", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"got no nltk.*; run `pip install 'hexplain-widg"
    ):
        Hierarchy.wordnet(["dog.n.01"])


# the embedded world


def test_the_embedded_worlds_hierarchy_has_its_ten_scenes_and_three_levels() -> None:
    hierarchy = hx.demo.hierarchy()
    assert sorted(hierarchy.leaves()) == sorted(SCENES)
    assert max(map(hierarchy.depth, hierarchy)) == 2
    assert hierarchy.matched(SCENES).missing == ()


def test_in_the_embedded_world_a_lake_is_of_two_kinds() -> None:
    hierarchy = hx.demo.hierarchy()
    several = [name for name in hierarchy if len(hierarchy.parents(name)) > 1]
    assert several == ["lake"]
    assert hierarchy.parents("lake") == ("countryside", "waterside")
