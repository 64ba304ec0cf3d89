"""Long-term memory: facts that outlive conversations, found again by what they mean, and forgotten.

from outlast.extras.memory import Memory

memory = Memory("memory.db")
agent = Agent(name="Clerk", tools=memory.tools(user="ada"))
"""

from outlast.extras.memory.embedders import Embedder, HashingEmbedder, OpenAIEmbedder
from outlast.extras.memory.memory import Memory, Recollection

__all__ = ["Embedder", "HashingEmbedder", "Memory", "OpenAIEmbedder", "Recollection"]
