"""The embedded world: rendered scenes with complete labels, and a small CNN trained on them."""

from .dataset import ConceptScenes as ConceptScenes
from .dataset import Scenes as Scenes
from .dataset import scenes as scenes
from .network import SceneNet as SceneNet
from .network import classifier as classifier
from .scenes import Scene as Scene
from .scenes import scene as scene
from .taxonomy import hierarchy as hierarchy
