from tests.peers.bouncycastle import bouncycastle

__all__ = ["bouncycastle"]
