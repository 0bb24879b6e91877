"""A Pipecat bot on the phone, without any cloud's keys: greets the caller, then says back what it
hears. Nothing in it is ours: Pipecat's Twilio serializer on its FastAPI transport, as for Twilio.

    python3 -m venv venv
    venv/bin/pip install --no-deps -r requirements.txt
    venv/bin/python bot.py --port 8765

and the line's `agent_url` is `ws://127.0.0.1:8765/ws` (`wss://` anywhere but on this machine). Put
your speech recognition, language model and speech in the place of `Parrot`.
"""

import argparse
import wave
from pathlib import Path

import uvicorn
from fastapi import FastAPI, WebSocket
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import (
    FastAPIWebsocketParams,
    FastAPIWebsocketTransport,
)

RATE = 8000
GREETING = Path(__file__).parents[1] / "audio" / "greeting.wav"

app = FastAPI()


class Parrot(FrameProcessor):
    """A processor that says back what it hears, once the greeting is over."""

    greeted = False

    async def process_frame(self, frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        if isinstance(frame, BotStoppedSpeakingFrame):
            self.greeted = True
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
        elif self.greeted:
            said = OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
            await self.push_frame(said, direction)


def greeting():
    with wave.open(str(GREETING)) as recording:
        assert recording.getframerate() == RATE
        return recording.readframes(recording.getnframes())


@app.websocket("/ws")
async def answer(websocket: WebSocket):
    await websocket.accept()
    _, call = await parse_telephony_websocket(websocket)
    print("call", call["body"]["call_id"], "from", call["body"]["from"], flush=True)
    serializer = TwilioFrameSerializer(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        # Closing the socket hangs up; Twilio's REST API is not needed for it.
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True,
            audio_in_passthrough=True,
            audio_out_enabled=True,
            add_wav_header=False,
            serializer=serializer,
        ),
    )
    pipeline = Pipeline([transport.input(), Parrot(), transport.output()])
    params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    task = PipelineTask(pipeline, params=params)

    @transport.event_handler("on_client_connected")
    async def greet(_transport, _client):
        speech = TTSAudioRawFrame(greeting(), RATE, 1)
        await task.queue_frames([TTSStartedFrame(), speech, TTSStoppedFrame()])

    @transport.event_handler("on_client_disconnected")
    async def leave(_transport, _client):
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=8765)
    uvicorn.run(app, host="127.0.0.1", port=options.parse_args().port, log_level="warning")
