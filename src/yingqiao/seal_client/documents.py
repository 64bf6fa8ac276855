"""Where a PDF comes from and goes to: over the network or in a local folder, as `saveType` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yingqiao.gm import sm3
from yingqiao.seal_client import paths
from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.network import Network
from yingqiao.seal_client.parameters import SaveType
from yingqiao.seal_client.sessions import Session


@dataclass(frozen=True, slots=True)
class Saved:
    """`answer`: of the upload service; None of a local file."""

    answer: Any = None


class Documents:
    def __init__(self, loaded: Loaded, network: Network) -> None:
        self._loaded, self._network = loaded, network

    def load(self, session: Session) -> tuple[bytes, str]:
        """Bytes and name of the source file as it is now. Raises Refused."""
        asked = session.parameters
        if asked.save_type is SaveType.LOCAL:
            at = paths.place(asked.file_url, self._loaded.open_folders)
            data, name = paths.read(at, self._loaded.config.open.max_bytes), at.name
        else:

            def told(count: int) -> None:
                session.received += count

            session.received = 0
            data, name = self._network.fetch(asked.file_url, told)
        if not data.startswith(b"%PDF-"):
            raise Refused(422, "not-pdf", "取到的不是 PDF 文件")
        return data, name

    def check_target(self, session: Session) -> None:
        """Whether it could be saved where it should, before anybody seals. Raises Refused."""
        asked = session.parameters
        if asked.save_path:
            if asked.save_type is SaveType.LOCAL:
                paths.place(asked.save_path, self._loaded.save_folders)
            else:
                self._network.check_target(asked.save_path)

    def save(self, session: Session) -> Saved:
        """`current` where `savePath` says. Raises Refused: it is not saved then."""
        asked = session.parameters
        if asked.save_type is SaveType.NET:
            uploaded = self._network.upload(asked.save_path, session.current, session.name, asked.token)
            return Saved(uploaded.answer)
        at = paths.place(asked.save_path, self._loaded.save_folders)
        if at.path == paths.place(asked.file_url, self._loaded.open_folders).path:
            self._refuse_stale(session)
        paths.write(at, session.current)
        return Saved()

    def _refuse_stale(self, session: Session) -> None:
        """Of a file that is replaced: it must still be what was shown and sealed."""
        now, _ = self.load(session)
        if sm3.digest(now) not in (sm3.digest(session.base), sm3.digest(session.current)):
            raise Refused(409, "stale", "源文件已被改动，没有保存；请重新打开后再盖章")
