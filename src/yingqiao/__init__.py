"""影桥 Yingqiao: the front-end gateway of a provincial medical-imaging cloud, and the hospital's side of it."""

__version__ = "0.1.0"
