"""A stamp on paper, photographed or scanned, becomes the picture of a seal (annex 6): PNG with transparency, in mm."""

from yingqiao.signing.seals.sampling.ink import Ink
from yingqiao.signing.seals.sampling.sampling import Sampled, Wish, sample

__all__ = ["Ink", "Sampled", "Wish", "sample"]
