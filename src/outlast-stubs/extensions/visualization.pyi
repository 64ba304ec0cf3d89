# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.visualization import draw_graph as draw_graph
from outlast.extras.visualization import get_all_edges as get_all_edges
from outlast.extras.visualization import get_all_nodes as get_all_nodes
from outlast.extras.visualization import get_main_graph as get_main_graph
