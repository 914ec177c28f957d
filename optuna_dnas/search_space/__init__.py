"""Search spaces: Optuna parameters, tokens and architectures, and what they cost."""

from optuna_dnas.search_space._architecture import Architecture
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._cells import ABSENT
from optuna_dnas.search_space._cells import edge_pairs
from optuna_dnas.search_space._cells import OPS
from optuna_dnas.search_space._check import check_space
from optuna_dnas.search_space._columns import Column
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._cost import cost_title
from optuna_dnas.search_space._cost import CostLimits
from optuna_dnas.search_space._cost import Limits
from optuna_dnas.search_space._cost import read_limits
from optuna_dnas.search_space._declared import ArchitectureSpace
from optuna_dnas.search_space._factors import COST
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import FactorModel
from optuna_dnas.search_space._factors import Guidance
from optuna_dnas.search_space._factors import LAYERS
from optuna_dnas.search_space._flat import FlatSpace
from optuna_dnas.search_space._graph import Graph
from optuna_dnas.search_space._inference import declaration_code
from optuna_dnas.search_space._inference import infer_space
from optuna_dnas.search_space._inference import Inferred
from optuna_dnas.search_space._mistakes import method_of_space
from optuna_dnas.search_space._mobilenet import MobileNetSpace
from optuna_dnas.search_space._mobilenet_shape import LayerShape
from optuna_dnas.search_space._mobilenet_shape import MobileNetShape
from optuna_dnas.search_space._mobilenet_shape import Stage
from optuna_dnas.search_space._mobilenet_spec import MBConv
from optuna_dnas.search_space._mobilenet_spec import MobileNetSpec
from optuna_dnas.search_space._model_spec import ModelSpec
from optuna_dnas.search_space._nasbench101 import NASBench101Space
from optuna_dnas.search_space._nasbench101_cost import NetworkShape
from optuna_dnas.search_space._nasbench201 import NASBENCH201_OPS
from optuna_dnas.search_space._nasbench201 import NASBench201Space
from optuna_dnas.search_space._parameters import AskedParameters
from optuna_dnas.search_space._parts import Choice
from optuna_dnas.search_space._parts import Integer
from optuna_dnas.search_space._parts import Leaf
from optuna_dnas.search_space._parts import Repeat
from optuna_dnas.search_space._picture import Arrow
from optuna_dnas.search_space._picture import Box
from optuna_dnas.search_space._picture import FONT_SIZE
from optuna_dnas.search_space._picture import Key
from optuna_dnas.search_space._picture import Picture
from optuna_dnas.search_space._picture import Point
from optuna_dnas.search_space._product import mix_moves
from optuna_dnas.search_space._product import ProductSpace
from optuna_dnas.search_space._product import Setting
from optuna_dnas.search_space._product import together
from optuna_dnas.search_space._recognition import recognize
from optuna_dnas.search_space._recognition import recognize_part
from optuna_dnas.search_space._recognition import space_from_json
from optuna_dnas.search_space._recognition import space_to_json


__all__ = [
    "COST",
    "Factor",
    "FactorModel",
    "Guidance",
    "LAYERS",
    "mix_moves",
    "together",
    "ABSENT",
    "Architecture",
    "ArchitectureSpace",
    "Arrow",
    "AskedParameters",
    "Box",
    "Choice",
    "Column",
    "Cost",
    "CostLimits",
    "FONT_SIZE",
    "FlatSpace",
    "ProductSpace",
    "Inferred",
    "Graph",
    "Integer",
    "Key",
    "LayerShape",
    "Leaf",
    "Limits",
    "MBConv",
    "MobileNetShape",
    "MobileNetSpace",
    "MobileNetSpec",
    "ModelSpec",
    "NASBENCH201_OPS",
    "NASBench101Space",
    "NASBench201Space",
    "NetworkShape",
    "OPS",
    "Picture",
    "Point",
    "Repeat",
    "SearchSpace",
    "Setting",
    "Stage",
    "check_space",
    "cost_title",
    "declaration_code",
    "edge_pairs",
    "infer_space",
    "method_of_space",
    "read_limits",
    "recognize",
    "recognize_part",
    "space_from_json",
    "space_to_json",
]
