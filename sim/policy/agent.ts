/** A simulated agent of one Envoy. What it gives, and what was acknowledged, is on its disk before anybody else knows of it. */

import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { sameValue } from "../../src/core/policy/same-value.ts";
import type { SimEnvoy } from "./envoy.ts";
import type { SimReport, SimStream } from "./stream.ts";

interface Disk {
  readonly lastGood: ProxyPolicy | undefined;
  /** Given since `lastGood` was acknowledged. */
  readonly given: readonly ProxyPolicy[];
}

const emptyDisk: Disk = { lastGood: undefined, given: [] };

export class SimAgent {
  readonly key: string;
  readonly envoy: SimEnvoy;
  readonly hasListeners: boolean;
  disk: Disk = emptyDisk;
  isAlive = true;
  /** The stream to the server: undefined while there is none. */
  stream: SimStream | undefined;
  /** Never given again before something else was wanted, and acknowledged. */
  #refused: ProxyPolicy | undefined;
  /** What the server wants. */
  #newest: ProxyPolicy | undefined;
  /** It came on this stream. */
  #tellsRefusal = false;
  /** It has forgotten what its Envoy may have, until that has acknowledged something. */
  #isUnsure = false;
  #said: SimReport | undefined;

  constructor(key: string, envoy: SimEnvoy, hasListeners: boolean) {
    this.key = key;
    this.envoy = envoy;
    this.hasListeners = hasListeners;
  }

  /** @param isForgetful it does not keep what it gave; an agent that has nothing else to give must */
  start(isForgetful: boolean): void {
    this.isAlive = true;
    this.#isUnsure = isForgetful && this.disk.lastGood !== undefined;
    if (this.#isUnsure) this.disk = { ...this.disk, given: [] };
    this.envoyStarted();
  }

  kill(): void {
    this.isAlive = false;
    this.stream = undefined;
    this.#said = undefined;
    this.#refused = undefined;
    this.envoy.disconnect();
  }

  /** Agent, Envoy and disk: what comes after it is new. */
  replace(): void {
    this.kill();
    this.envoy.restart();
    this.disk = emptyDisk;
    this.#isUnsure = false;
    this.isAlive = true;
  }

  get hasRefused(): boolean {
    return this.#refused !== undefined;
  }

  /** The newest again: whatever has come on a stream is answered on it. */
  envoyStarted(): void {
    const newest = this.disk.given.at(-1);
    const isGood = newest !== undefined && newest !== this.#refused;
    const policy = isGood ? newest : (this.disk.lastGood ?? newest);
    if (policy !== undefined) this.#give(policy);
  }

  connect(stream: SimStream): void {
    this.stream = stream;
    this.#said = undefined;
    this.#tellsRefusal = false;
  }

  receive(policy: ProxyPolicy): void {
    if (this.stream !== undefined) this.stream.read += 1;
    this.#newest = policy;
    if (sameValue(policy, this.#refused)) this.#tellsRefusal = true;
    else if (!sameValue(policy, this.disk.given.at(-1) ?? this.disk.lastGood)) this.#give(policy);
  }

  hearEnvoy(): void {
    const reply = this.envoy.replies.shift();
    if (reply === undefined) return;
    const { policy, isAck } = reply;
    if (isAck) {
      // The last good one, given again, clears no refusal; nor does another that of what is wanted.
      const isOther = policy !== this.disk.lastGood && !sameValue(this.#newest, this.#refused);
      if (isOther) this.#refused = undefined;
      const at = this.disk.given.indexOf(policy);
      this.disk = { lastGood: policy, given: this.disk.given.slice(at + 1) };
      this.#isUnsure = false;
      return;
    }
    this.#refused = policy;
    this.#tellsRefusal = true;
    const isLast = this.disk.given.at(-1) === policy;
    if (isLast && this.disk.lastGood !== undefined) this.#give(this.disk.lastGood);
  }

  /** Something that it has not said on this stream. */
  get hasNews(): boolean {
    if (this.stream === undefined || this.#said === undefined) return this.stream !== undefined;
    const said = this.#said;
    const { applied, pending, refused, answered } = this.#news(this.stream);
    const isSame = applied === said.applied && pending === said.pending;
    return !isSame || refused !== said.refused || answered !== said.answered;
  }

  report(): void {
    if (this.stream === undefined) return;
    this.#said = this.#news(this.stream);
    this.stream.up.push(this.#said);
  }

  #news(stream: SimStream): SimReport {
    const { lastGood = "nothing", given } = this.disk;
    const isRefused = this.#tellsRefusal && sameValue(this.#newest, this.#refused);
    const isAcked = given.length === 0 && sameValue(this.#newest, this.disk.lastGood);
    if (isRefused || isAcked) stream.answered = stream.read;
    return {
      hasListeners: this.hasListeners,
      applied: this.#isUnsure ? undefined : lastGood,
      pending: given,
      refused: this.#tellsRefusal ? this.#refused : undefined,
      answered: stream.answered,
    };
  }

  /** All of which parts may be in force. */
  possible(): readonly ProxyPolicy[] {
    const { lastGood, given } = this.disk;
    return lastGood === undefined ? given : [lastGood, ...given];
  }

  #give(policy: ProxyPolicy): void {
    const others = this.disk.given.filter((each) => each !== policy);
    this.disk = { ...this.disk, given: [...others, policy] };
    this.envoy.give(policy);
  }
}
