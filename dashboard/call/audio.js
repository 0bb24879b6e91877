// Microphone and loudspeaker of one conversation: frames of 20 ms out, frames in, levels of both. Each
// conversation has an audio context of its own, so that two in one tab cannot cross. Knows no sockets.

const MICROPHONE = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
};

/** Reason and remedy of having no microphone, by the name of the browser's error. */
const MICROPHONE_ERRORS = {
  NotAllowedError:
    "The microphone is blocked for this page. Allow it in the address bar's site settings, then call again.",
  NotFoundError: "No microphone was found. Plug one in, then call again.",
  NotReadableError: "Another program holds the microphone. Close it, then call again.",
};

/** The sound of one conversation. */
export class Sound {
  /**
   * @param {{format: "mulaw" | "pcm_s16le", rate: number, onFrame: (frame: ArrayBuffer) => void,
   *   onLevels: (levels: {mic?: number, peer?: number, underruns?: number, droppedMs?: number,
   *   bufferedMs?: number}) => void}} options levels are peaks, 0 to 1
   */
  constructor({ format, rate, onFrame, onLevels }) {
    this.options = { format, rate };
    this.onFrame = onFrame;
    this.onLevels = onLevels;
    /** The reason that one can only listen; empty if one can speak. */
    this.listeningOnly = "";
  }

  /** Open both; to be called while a click is handled, or browsers stay silent. */
  async open() {
    if (!globalThis.AudioWorkletNode || !navigator.mediaDevices) {
      throw new Error("This browser gives pages sound only over https:// or on localhost. Open the dashboard there.");
    }
    this.context = new AudioContext({ latencyHint: "interactive" });
    const ready = Promise.all(
      ["capture.js", "playback.js"].map((name) => this.context.audioWorklet.addModule(new URL(name, import.meta.url))),
    );
    const [stream] = await Promise.all([this.openMicrophone(), ready, this.context.resume()]);
    if (this.closed) return this.close(); // hung up while the browser asked
    const make = (name, extra) =>
      new AudioWorkletNode(this.context, name, { processorOptions: this.options, outputChannelCount: [1], ...extra });
    this.capture = make("capture", { channelCount: 1, channelCountMode: "explicit" });
    this.playback = make("playback", { numberOfInputs: 0 });
    this.capture.port.onmessage = ({ data }) => {
      this.onFrame(data.frame);
      this.onLevels({ mic: data.peak });
    };
    this.playback.port.onmessage = ({ data: { peak, ...counts } }) => this.onLevels({ peer: peak, ...counts });
    if (stream) this.context.createMediaStreamSource(stream).connect(this.capture);
    this.capture.connect(this.context.destination); // its output is silence; unconnected it would not run
    this.playback.connect(this.context.destination);
  }

  async openMicrophone() {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia(MICROPHONE);
    } catch (error) {
      this.listeningOnly = MICROPHONE_ERRORS[error.name] ?? `The microphone cannot be used: ${error.message}`;
    }
    return this.stream;
  }

  /** Play a frame of the other side. */
  play(frame) {
    this.playback?.port.postMessage(frame, [frame]);
  }

  mute(muted) {
    this.capture?.port.postMessage({ muted });
  }

  close() {
    this.closed = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context && this.context.state !== "closed") this.context.close();
  }
}
