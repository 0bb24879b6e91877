"""Debian's Chromium, driven by Playwright, with a recording for a microphone and a tap on what it
plays. What the page under test is made of is not touched: the tap sits in the browser's own Web
Audio, before the page's code runs.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, Page, async_playwright

from local.listening import Samples
from tests.browser.voices import LATEST_S, VOICE_HZ, band

PROGRAM = "/usr/bin/chromium"
_ARGUMENTS = [
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",  # nobody is there to allow the microphone
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
_TAP = """(() => {
  const connect = AudioNode.prototype.connect;
  globalThis.tapped = [];
  const keep = async (track, heard) => {
    const frames = new MediaStreamTrackProcessor({ track, maxBufferSize: 1000 }).readable;
    for await (const frame of frames) {
      const samples = new Float32Array(frame.numberOfFrames);
      frame.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      heard.rate = frame.sampleRate;
      heard.blocks.push(Int16Array.from(samples, (x) => x * 32767));
      frame.close();
    }
  };
  AudioNode.prototype.connect = function (target, ...more) {
    if (target instanceof AudioDestinationNode && this.numberOfInputs === 0) {
      const tap = this.context.createMediaStreamDestination();
      const heard = { rate: this.context.sampleRate, blocks: [] };
      globalThis.tapped.push(heard);
      connect.call(this, tap);
      keep(tap.stream.getAudioTracks()[0], heard);
    }
    return connect.call(this, target, ...more);
  };
})();"""
"""What has no input and goes to the loudspeaker is what the other side says."""
_PLAIN_MICROPHONE = """(() => {
  const devices = globalThis.navigator.mediaDevices;
  const ask = devices?.getUserMedia;
  if (ask)
    devices.getUserMedia = () =>
      ask.call(devices, {
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
})();"""
"""One that hands on what is spoken: what a browser makes of it would be no recording of it."""
_NEWS = """(which) => {
  const heard = globalThis.tapped[which];
  if (!heard) return null;
  const text = (block) => String.fromCharCode(...new Uint8Array(block.buffer));
  return [heard.rate, btoa(heard.blocks.splice(0).map(text).join(""))];
}"""


@asynccontextmanager
async def chromium(microphone: Path | None = None) -> AsyncIterator[Browser]:
    """A browser. `microphone`: a WAV file that is spoken again and again; none: a beep."""
    spoken = [f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=PROGRAM, args=[*_ARGUMENTS, *spoken]
        )
        try:
            yield browser
        finally:
            await browser.close()


async def tap(page: Page) -> None:
    """From its next load on, what the page plays is kept, and the microphone is a plain one."""
    await page.add_init_script(_TAP + _PLAIN_MICROPHONE)


class Loudspeaker:
    """What a page's conversation number `which` plays."""

    def __init__(self, page: Page, which: int = 0) -> None:
        self._page, self._which = page, which
        self._rate, self._played = 48000, np.zeros(0, np.int16)

    async def heard(self) -> Samples:
        """The last `LATEST_S`, 8 kHz."""
        news = await self._page.evaluate(_NEWS, self._which)
        if news:
            self._rate, text = news
            new = np.frombuffer(base64.b64decode(text), "<i2")
            self._played = np.concatenate([self._played, new])[-int(self._rate * LATEST_S) :]
        return _at_8k(self._played, self._rate)


def _at_8k(samples: Samples, rate: float) -> Samples:
    low = band(samples, rate, VOICE_HZ)
    at = np.arange(0, len(low), rate / 8000)
    return np.interp(at, np.arange(len(low)), low).astype(np.int16) if len(low) else low
