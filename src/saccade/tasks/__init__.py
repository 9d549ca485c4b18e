"""Tasks by name: what can be learned."""

from saccade.tasks.embed import EmbedTask

TASKS = {"embed": EmbedTask}
