"""edgedl: the survey *Convergence of Edge Computing and Deep Learning*, executable.

The rooms follow the survey: ``system`` (devices, links, traces), ``nets`` (layer graphs), ``inference`` (survey V),
``offloading`` (VI), ``reproduce`` (claims, pipeline, book) and ``exercises``.  Importing this package imports none of
them, so it stays cheap; import what you use.
"""

__version__ = "0.1.0"
