"""Tasks by name: what can be learned."""

from saccade.tasks.classify import ClassifyTask
from saccade.tasks.embed import EmbedTask

TASKS = {"classify": ClassifyTask, "embed": EmbedTask}
