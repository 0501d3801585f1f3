/** What the store of this server has for the Secret, what it knows of it, and how it takes over what is there. */

import { randomBytes } from "node:crypto";
import { isSameStamp, type LocalTrust } from "../../../../core/kube/trust/trust-judgement.ts";
import type { TrustRecord } from "../../../../core/kube/trust/trust-record.ts";
import type { TrustDomain } from "../../../../core/spiffe/id.ts";
import { encodeDenials, fitsSecret } from "../../../../edge/kube/trust/packed-denials.ts";
import type { SecretContent } from "../../../../edge/kube/trust/trust-secret-object.ts";
import type { Store } from "../../../../edge/store/store.ts";
import { readAdoptable } from "./adoptable-secret.ts";
import { encodeKnownSecret, parseKnownSecret, type KnownSecret } from "./known-secret.ts";
import type { SecretPlace } from "./trust-secret-error.ts";
import { keyIdsOf, stampOf } from "./trust-stamps.ts";

export interface LocalTrustOptions {
  readonly store: Store;
  /** Of the store's keys. */
  readonly passphrase: Uint8Array | undefined;
  readonly trustDomain: TrustDomain;
  /** Of what is signed here until it is raised. */
  readonly maxTtlSeconds: number;
}

export interface LocalContent extends SecretContent {
  /** The deny list is too large for a Secret: it is in the data directory alone. */
  readonly lacksDenials: boolean;
}

/** What was sent and not seen to arrive. With more, people decide what is whose. */
const attemptsMax = 32;
const unknown = {
  lineage: "",
  epoch: 0,
  digest: "",
  attempted: [],
  adoptedMs: 0,
  holders: [],
} as const;

export class LocalTrustRecords {
  readonly #options: LocalTrustOptions;
  #known: KnownSecret;

  /** @throws StoreError */
  constructor(options: LocalTrustOptions) {
    this.#options = options;
    const { store, maxTtlSeconds } = options;
    const text = store.facts.recall("trust-secret");
    const known =
      text === undefined
        ? { ...unknown, writer: randomId(), ttlMaxSeconds: 0 }
        : parseKnownSecret(text);
    this.#known = known;
    const isNews = text === undefined || known.ttlMaxSeconds < maxTtlSeconds;
    if (isNews) this.#remember(this.#withTtl(maxTtlSeconds));
  }

  /** Names this data directory, and copies of it. */
  get writer(): string {
    return this.#known.writer;
  }

  /** The longest lifetime of what any server of this mesh may have signed, as far as is known. */
  get ttlMaxSeconds(): number {
    return this.#known.ttlMaxSeconds;
  }

  /** Before anything is signed with it. @throws StoreError */
  raiseTtl(seconds: number): void {
    if (seconds > this.#known.ttlMaxSeconds) this.#remember(this.#withTtl(seconds));
  }

  /** Undefined in a directory that has never had a trust state. @throws StoreError, TrustStateError */
  stamp(): LocalTrust | undefined {
    const state = this.#options.store.loadTrustState();
    if (state === undefined) return undefined;
    const { writer, lineage, epoch, digest, attempted } = this.#known;
    const published = lineage === "" ? undefined : { lineage, epoch, digest };
    return { ...stampOf(state), writer, published, attempted };
  }

  /** What the Secret is to have. @throws StoreError, TrustStateError */
  content(): LocalContent {
    const { store } = this.#options;
    const state = store.loadTrustState();
    if (state === undefined) throw new TypeError("there is no trust state to be published");
    // Before the first write: whoever ends in the middle knows it again.
    if (this.#known.lineage === "") this.#remember({ ...this.#known, lineage: randomId() });
    const { lineage, writer, ttlMaxSeconds } = this.#known;
    const keys = new Map<string, Uint8Array>();
    for (const id of keyIdsOf(state)) {
      const key = store.keyAtRest(id);
      if (key !== undefined) keys.set(id, key);
    }
    const text = encodeDenials(store.denials.load());
    const lacksDenials = text !== undefined && !fitsSecret(text);
    const denials = lacksDenials ? undefined : text;
    return { record: { lineage, writer, ttlMaxSeconds, state }, keys, denials, lacksDenials };
  }

  /** It is about to be written: whoever ends in the middle knows it again. */
  attempt({ state }: TrustRecord): void {
    const stamp = stampOf(state);
    const { epoch, digest, attempted } = this.#known;
    const isKnown = [{ epoch, digest }, ...attempted].some((each) => isSameStamp(each, stamp));
    if (isKnown) return;
    this.#remember({ ...this.#known, attempted: [...attempted, stamp].slice(-attemptsMax) });
  }

  /** The Secret has this now. */
  published({ lineage, state, ttlMaxSeconds }: TrustRecord): void {
    const stamp = stampOf(state);
    const known = this.#known;
    const isKnown = known.attempted.length === 0 && isSameStamp(known, stamp);
    if (isKnown && known.ttlMaxSeconds >= ttlMaxSeconds) return;
    this.#remember({ ...this.#withTtl(ttlMaxSeconds), lineage, ...stamp, attempted: [] });
  }

  /** Whether the Secret was written last in the name of one that this directory never was. Where no names are known, nothing is said. */
  isOther(holder: string): boolean {
    const { holders } = this.#known;
    return holder !== "" && holders.length > 0 && !holders.includes(holder);
  }

  /** It is about to be written in that name: whoever ends in the middle knows it again. */
  attemptAs(holder: string): void {
    const { holders } = this.#known;
    if (holders.includes(holder)) return;
    const [last, ...attempts] = [...holders, holder];
    this.#remember({ ...this.#known, holders: [last, ...attempts.slice(1 - attemptsMax)] });
  }

  /** The Secret has that name now: what was sent in another, and arrives late, is refused. */
  writtenAs(holder: string): void {
    const { holders } = this.#known;
    if (holders.length === 1 && holders[0] === holder) return;
    this.#remember({ ...this.#known, holders: [holder] });
  }

  /** Another one has had the trust: before the Secret names him no more. @param ttlMaxSeconds of what he may have signed */
  wasElsewhere(ttlMaxSeconds: number, nowMs: number): void {
    this.#remember({ ...this.#withTtl(ttlMaxSeconds), adoptedMs: nowMs });
  }

  /** When it was found that another one has had the trust; undefined: none has, or the log says so. */
  get adoptedMs(): number | undefined {
    return this.#known.adoptedMs === 0 ? undefined : this.#known.adoptedMs;
  }

  /** The log says so. */
  adoptionRecorded(): void {
    this.#remember({ ...this.#known, adoptedMs: 0 });
  }

  /** What is in the Secret takes the place of what is here; all of it or nothing. @throws as `readAdoptable` */
  adopt(content: SecretContent, place: SecretPlace, nowMs: number): void {
    const { store } = this.#options;
    const { record, keys } = content;
    const denials = readAdoptable(content, { ...this.#options, place });
    const before = store.loadTrustState();
    const destroyed = before === undefined ? [] : keyIdsOf(before).filter((id) => !keys.has(id));
    const adopted = Array.from(keys, ([id, privateKeyPkcs8]) => ({ id, privateKeyPkcs8 }));
    // Before it: whoever ends in between says it of nothing, and that harms nobody.
    this.#remember({ ...this.#withTtl(record.ttlMaxSeconds), adoptedMs: nowMs });
    store.adoptTrust({ state: record.state, keys: adopted, denials, destroyed, nowMs });
    this.published(record);
  }

  #withTtl(seconds: number): KnownSecret {
    return { ...this.#known, ttlMaxSeconds: Math.max(seconds, this.#known.ttlMaxSeconds) };
  }

  #remember(known: KnownSecret): void {
    this.#options.store.facts.remember("trust-secret", encodeKnownSecret(known));
    this.#known = known;
  }
}

function randomId(): string {
  return randomBytes(8).toString("hex");
}
