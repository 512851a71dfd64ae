# The public API, one line for each name. `lazy_loader` imports a name when it is first used; type
# checkers and editors read this file.

from .benchmark import Benchmark as Benchmark
from .cells.frames import load_cells as load_cells
from .cells.frames import load_points as load_points
from .cells.frames import load_scores as load_scores
from .config.options import BaseOptions as BaseOptions
from .config.options import option as option
from .errors import UnsupportedError as UnsupportedError
from .errors import UsageError as UsageError
from .interfaces import Array as Array
from .interfaces import Lists as Lists
from .interfaces import Point as Point
from .method import Method as Method
from .method import TrainingOptions as TrainingOptions
from .metrics.row_metric import RowMetric as RowMetric
from .model_per_preference import ModelPerPreference as ModelPerPreference
from .notebook import make_benchmark as make_benchmark
from .notebook import make_method as make_method
from .notebook import make_trainer as make_trainer
from .objective import Objective as Objective
from .objective import TextObjective as TextObjective
from .policies.conditioning import Banks as Banks
from .policies.conditioning import Conditioning as Conditioning
from .policies.conditioning import Features as Features
from .policies.conditioning import Mixture as Mixture
from .policies.conditioning import PromptText as PromptText
from .policies.conditioning import Scope as Scope
from .policies.conditioning import TiedBanks as TiedBanks
from .policies.conditioning import Unconditioned as Unconditioned
from .policies.control import Control as Control
from .policies.preference_control import preference_control as preference_control
from .policies.protocols import Policy as Policy
from .report.outputs.leaderboard import leaderboard as leaderboard
from .serving.restore import restore_cell as restore_cell
from .simplex import coarse_divisions as coarse_divisions
from .simplex import coarse_lattice as coarse_lattice
from .simplex import lattice as lattice
from .simplex import lattice_size as lattice_size
from .simplex import usual_divisions as usual_divisions
from .text.sampler import Sampler as Sampler
from .training.draws import Draw as Draw
from .training.draws import Draws as Draws
from .training.draws import dirichlet as dirichlet
from .training.draws import fixed as fixed
from .training.draws import one_per_batch as one_per_batch
from .training.feedback import Batch as Batch
from .training.feedback import Feedback as Feedback
from .training.feedback import Imitation as Imitation
from .training.feedback import Preference as Preference
from .training.feedback import Reward as Reward
from .training.margin_preference import MarginPreference as MarginPreference
from .training.rollout import validation_points as validation_points
from .training.trainer import Trainer as Trainer
from .training.trainer import unit as unit

__version__: str
