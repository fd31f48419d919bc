"""The one multipart form that KFP's API knows: a file in the field `uploadfile`, read as it comes in.

Other fields are skipped without being kept, and the file is bounded, so that a form costs no more than its file.
"""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from kfgit.server.calls import Upload
from kfgit.server.errors import Code, UploadError
from kfgit.server.guard import MAX_BODY_BYTES

FIELD = b"uploadfile"
_SUMMARY = "Failed to get the file of the request"
_MAX_HEADER_BYTES = 8 * 1024


class Form:
    """A form that is being read; raises `UploadError` from any of its methods for one that is none."""

    def __init__(self, content_type: bytes) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise _broken("the request is no multipart/form-data with a boundary")
        self._name, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._wanted = False
        self._filename: bytes | None = None
        self._content: bytearray | None = None
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                    "on_end": self._ends,
                },
            )
        except FormParserError as fault:
            raise _broken(str(fault)) from fault

    def feed(self, data: bytes) -> None:
        """Takes what has come in."""
        try:
            self._parser.write(data)
        except FormParserError as fault:
            raise _broken(str(fault)) from fault

    def upload(self) -> Upload:
        """The file, once everything has come in."""
        if not self._ended:
            raise _broken("the form ends before its last boundary")
        if self._content is None or self._filename is None:
            raise _broken(f"the form has no file in the field {FIELD.decode()}")
        return Upload(self._filename.decode("utf-8", "replace"), bytes(self._content))

    def _part_begins(self) -> None:
        self._disposition, self._wanted = b"", False

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._bounded()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded()

    def _header_ends(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        # As Go's FormFile: the first file of that name, and a field without a file name is none.
        if options.get(b"name") == FIELD and b"filename" in options and self._content is None:
            self._filename, self._content, self._wanted = options[b"filename"], bytearray(), True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted and self._content is not None:
            self._content += data[start:end]
            if len(self._content) > MAX_BODY_BYTES:
                raise _broken(f"the file has more than {MAX_BODY_BYTES} bytes")

    def _ends(self) -> None:
        self._ended = True

    def _bounded(self) -> None:
        if len(self._name) + len(self._value) > _MAX_HEADER_BYTES:
            raise _broken("a header of the form is too long")


def _broken(detail: str) -> UploadError:
    return UploadError(Code.INVALID_ARGUMENT, _SUMMARY, detail)
