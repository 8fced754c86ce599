"""Films, by PyAV (FFmpeg's libraries): length, size of the picture, rate and codecs. No frame is decoded."""

from fractions import Fraction

import av

from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile, Unreadable

_SAID = ("title", "artist", "comment", "description", "creation_time")


def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        try:
            container = av.open(stream, mode="r", metadata_errors="replace")
        except (av.FFmpegError, ValueError) as error:
            raise Unreadable("It is damaged: its film can't be read.") from error
        with container:
            pictures, sounds = container.streams.video, container.streams.audio
            facts = present(
                seconds=_seconds(container.duration),
                format=container.format.name,
                video_streams=len(pictures) or None,
                audio_streams=len(sounds) or None,
            )
            if pictures:
                first = pictures[0]
                facts.update(
                    present(
                        width=first.width or None,
                        height=first.height or None,
                        frames_per_second=_rate(first.average_rate),
                        video_codec=first.codec_context.name,
                    )
                )
            if sounds:
                codec = sounds[0].codec_context
                facts.update(present(audio_codec=codec.name, sample_rate=codec.sample_rate))
            text = Text(file.text_characters)
            for name in _SAID:
                said = container.metadata.get(name, "")
                text.add(said)
                facts.update(present(**{name: said}))
            return Extracted(facts, str(text))


def _seconds(duration: int | None) -> str | None:
    """In units of `av.time_base`."""
    return None if duration is None else f"{duration / av.time_base:.3f}".rstrip("0").rstrip(".")


def _rate(rate: Fraction | None) -> str | None:
    return None if not rate else f"{float(rate):.3f}".rstrip("0").rstrip(".")
