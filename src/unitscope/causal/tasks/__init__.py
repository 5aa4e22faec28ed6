"""Tasks: how well a network does on items, as numbers that are kept item by item.

A task is bound to a model and to items once, and then says what the network is worth on them, whole or edited; see
`unitscope.causal.bound`. Since numbers belong to items, what an edit does is a paired difference.

- `language`: the loss of each token (language modelling), as a whole or by class of word.
- `heads`: the class of an item, by a head that is trained here; `own`: by the network's own outputs.
- `words`: the class of each word, by a probe of the last or another upper layer of the edited network.
- `translation`: BLEU, chrF and loss of an encoder-decoder; `similarity`: what sentences' vectors are near to.
- `Measured`: any function.
"""

from unitscope.causal.bound import Bound
from unitscope.causal.tasks.base import Judged, Measured, Task, pooled_state
from unitscope.causal.tasks.heads import Classification, trained_head
from unitscope.causal.tasks.language import LanguageModelling

__all__ = ["Bound", "Classification", "Judged", "LanguageModelling", "Measured", "Task", "pooled_state", "trained_head"]
