"""The views: each shows one kind of evidence and holds an engine only to ask it for more."""

from ._shared.linking import link_channels as link_channels
from .attack_comparison.view import AttackComparison as AttackComparison
from .channels.bars import ChannelBars as ChannelBars
from .channels.matrix import ChannelMatrix as ChannelMatrix
from .channels.venn import ChannelVenn as ChannelVenn
from .concept_inference.view import ConceptSunburst as ConceptSunburst
from .concept_inference.view import ConceptTree as ConceptTree
from .concept_units.view import UnitReport as UnitReport
from .confusion_matrix.view import ConfusionMatrix as ConfusionMatrix
from .context_report.view import ContextReport as ContextReport
from .contribution_report.view import ContributionReport as ContributionReport
from .decomposition_tree.view import DecompositionTree as DecompositionTree
from .explainer_report.view import ExplainerReport as ExplainerReport
from .failure_analysis.view import FailureAnalysis as FailureAnalysis
from .faithfulness_report.view import FaithfulnessReport as FaithfulnessReport
from .filter_labeler.view import FilterLabeler as FilterLabeler
from .inference_space.view import InferenceSpace as InferenceSpace
from .layer_heatmaps.contact_sheet import ContactSheet as ContactSheet
from .layer_heatmaps.view import LayerHeatmaps as LayerHeatmaps
from .localization_report.localization_picture import LocalizationPicture as LocalizationPicture
from .localization_report.view import LocalizationReport as LocalizationReport
from .method_grid.view import MethodGrid as MethodGrid
from .neuron_concept_graph.view import NeuronConceptGraph as NeuronConceptGraph
from .randomisation_report.view import RandomisationReport as RandomisationReport
from .show import show as show
