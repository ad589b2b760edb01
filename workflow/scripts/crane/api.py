"""The library in one import, for notebooks: no script of the workflow imports it, so that code hashes stay exact.

```python
from crane.api import NeuronSet, attribution, masked
```
"""

from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.attribution import attribution
from crane.relevance.moments import Moments
from crane.scores.langspec_f1 import langspec_f1
from crane.selection.lape import lape
from crane.selection.random_like import random_like

__all__ = ["Moments", "NeuronSet", "attribution", "langspec_f1", "lape", "masked", "random_like"]
