"""Tasks by name: what can be learned."""

from saccade.tasks.classify import ClassifyTask
from saccade.tasks.embed import EmbedTask
from saccade.tasks.regress import RegressTask

TASKS = {"classify": ClassifyTask, "embed": EmbedTask, "regress": RegressTask}
