"""The names of the embedded world at its five levels; a label map holds indices into them."""

from __future__ import annotations

LEVELS = ("scene", "object", "part", "material", "color")

SCENES = (
    "beach", "farm", "harbor", "house", "lake",
    "orchard", "park", "pasture", "playground", "street",
)  # fmt: skip

OBJECTS = (
    "sky", "hill", "mountain", "lawn", "field", "path", "road", "sidewalk", "shore", "water",
    "house", "barn", "silo", "building", "lighthouse", "pier", "crane", "pool", "fountain",
    "tree", "conifer", "palm", "hedge", "flowerbed",
    "horse", "cow", "sheep", "dog", "gull", "person",
    "car", "van", "tractor", "rowboat", "sailboat", "ship", "bicycle",
    "fence", "bench", "lamp", "sign", "parasol", "towel", "ball", "crate", "ladder",
    "hay bale", "rock", "swing", "slide", "sandbox",
)  # fmt: skip

PARTS = (
    "clear sky", "cloud", "slope", "peak", "turf", "furrow", "bed", "lane", "marking", "paving",
    "curb", "surface", "foam", "rim", "wall", "gable", "roof", "window", "door", "chimney",
    "dome", "gallery", "lantern", "deck", "post", "rail", "arm", "cable", "step", "jet",
    "trunk", "crown", "frond", "fruit", "blossom", "body", "head", "leg", "tail", "mane",
    "horn", "wing", "torso", "hair", "hat", "wheel", "hub", "bumper", "headlight", "hull",
    "cabin", "mast", "sail", "frame", "seat", "backrest", "canopy", "panel", "patch", "chute",
)  # fmt: skip

MATERIALS = (
    "air", "vapor", "brick", "plaster", "stone", "tile", "wood", "bark", "foliage", "grass",
    "soil", "sand", "water", "foam", "asphalt", "concrete", "glass", "metal", "rubber", "plastic",
    "fabric", "fur", "skin", "petal", "peel", "straw", "rock", "snow",
)  # fmt: skip

COLORS = (
    "red", "orange", "yellow", "green", "blue", "purple",
    "pink", "brown", "beige", "white", "gray", "black",
)  # fmt: skip

LEGEND: dict[str, tuple[str, ...]] = {
    level: ("none", *names)
    for level, names in zip(LEVELS, (SCENES, OBJECTS, PARTS, MATERIALS, COLORS), strict=True)
}
