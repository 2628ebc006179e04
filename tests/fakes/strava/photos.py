"""Photos and videos of activities, and the network that serves their bytes to everybody who knows the address."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

THUMBNAIL: Final = 64
WIDTH: Final = 2048
HEIGHT: Final = 1536
PLACEHOLDER: Final = "/cdn/assets/media/placeholder-photo-processing.png"
JPEG: Final = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + b"%s" + bytes.fromhex("ffd9")


@dataclass(eq=False)
class Photo:
    """A photo. ``processing``: it only has a placeholder yet; ``video``: it has a ``video_url`` and a duration."""

    caption: str = ""
    video: bool = False
    processing: bool = False
    default: bool = False
    location: tuple[float, float] | None = None
    unique_id: str = field(default_factory=lambda: str(uuid4()).upper())
    key: str = field(default_factory=lambda: uuid4().hex)
    """What its addresses are made of."""

    def move(self) -> None:
        """Give it new addresses; the old ones lead nowhere."""
        self.key = uuid4().hex

    @property
    def bytes(self) -> bytes:
        """What the network serves: a JPEG of its own."""
        return JPEG % self.unique_id.encode()

    def shape(self, size: int) -> tuple[int, int]:
        """Return width and height when the longer side has at most ``size`` pixels."""
        longest = min(size, WIDTH)
        return longest, HEIGHT * longest // WIDTH

    def url(self, origin: str, size: int) -> str:
        """Return the address of the photo in a size, of the placeholder while there is none."""
        if self.processing:
            return f"{origin}{PLACEHOLDER}"
        width, height = self.shape(size)
        return f"{origin}/cdn/{self.key}-{width}x{height}.jpg"

    def shown(self, origin: str, *, athlete: int, activity: int, taken: tuple[str, str], size: int) -> dict[str, Any]:
        """Return the photo as the list of an activity's photos has it; ``size`` 0: a thumbnail under "0"."""
        pixels = size or THUMBNAIL
        row: dict[str, Any] = {
            "unique_id": self.unique_id,
            "athlete_id": athlete,
            "activity_id": activity,
            "activity_name": "",
            "post_id": None,
            "resource_state": 2,
            "caption": self.caption,
            "type": 2 if self.video else 1,
            "source": 1,
            "status": 3,
            "uploaded_at": taken[0],
            "created_at": taken[0],
            "created_at_local": taken[1],
            "urls": {str(size): self.url(origin, pixels)},
            "sizes": {str(size): list(self.shape(pixels))},
            "default_photo": self.default,
            "cursor": None,
        }
        if self.location:
            row["location"] = list(self.location)
        if self.processing:
            row["placeholder_image"] = {
                "light_url": f"{origin}{PLACEHOLDER}",
                "dark_url": f"{origin}{PLACEHOLDER}",
            }
        if self.video:
            row |= {"video_url": f"{origin}/cdn/{self.key}.m3u8", "duration": 12.5}
        return row
