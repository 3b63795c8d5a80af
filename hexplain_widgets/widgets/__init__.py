"""The views: each shows one kind of evidence and holds an engine only to ask it for more."""

from .attack_comparison import AttackComparison as AttackComparison
from .channel_bars import ChannelBars as ChannelBars
from .channel_matrix import ChannelMatrix as ChannelMatrix
from .channel_venn import ChannelVenn as ChannelVenn
from .concept_sunburst import ConceptSunburst as ConceptSunburst
from .concept_tree import ConceptTree as ConceptTree
from .context_report import ContextReport as ContextReport
from .contribution_report import ContributionReport as ContributionReport
from .decomposition_tree import DecompositionTree as DecompositionTree
from .failure_analysis import FailureAnalysis as FailureAnalysis
from .faithfulness_report import FaithfulnessReport as FaithfulnessReport
from .filter_labeler import FilterLabeler as FilterLabeler
from .inference_space import InferenceSpace as InferenceSpace
from .layer_heatmaps import LayerHeatmaps as LayerHeatmaps
from .linking import link_channels as link_channels
from .neuron_concept_graph import NeuronConceptGraph as NeuronConceptGraph
from .show import show as show
