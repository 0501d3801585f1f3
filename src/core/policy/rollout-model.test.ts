/**
 * Every way of one server and two clients from one decision to another: all orders of answers, with one fault anywhere (a refusal, a
 * stream cut, a server that starts anew). What is sent and not answered may be in force or not: each combination has to be well.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  applied,
  clientPolicy,
  modeAt,
  sentBy,
  serverAddress,
  serverPolicy,
} from "../../../test/support/rollout-policies.ts";
import type { ProxyPolicy, Sending } from "./proxy-policy.ts";
import { Rollout } from "./rollout.ts";
import type { ServerMode } from "./server-mode.ts";

const keys = ["s", "a", "b"] as const;
type Key = (typeof keys)[number];

interface Decision {
  readonly mode: ServerMode;
  readonly sends: readonly [Sending, Sending];
}

type Event =
  | { readonly kind: "answer" | "refuse" | "cut" | "connect"; readonly key: Key }
  | { readonly kind: "restart" };

const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];
// The two clients are alike: one order of them is enough.
const sends: readonly (readonly [Sending, Sending])[] = [
  ["plaintext", "plaintext"],
  ["plaintext", "mtls"],
  ["mtls", "mtls"],
];
const decisions = modes.flatMap((mode) => sends.map((sends): Decision => ({ mode, sends })));

function takes(mode: ServerMode | undefined, sends: Sending | undefined): boolean {
  return mode === "permissive" || (mode === "strict") === (sends === "mtls");
}

function policyOf({ mode, sends: [a, b] }: Decision, key: Key): ProxyPolicy {
  return key === "s" ? serverPolicy(mode) : clientPolicy(key === "a" ? a : b);
}

/** What is true of each proxy, whatever the server knows. */
interface True {
  applied: ProxyPolicy;
  sent: ProxyPolicy | undefined;
  refused: ProxyPolicy | undefined;
  isConnected: boolean;
}

class Model {
  readonly #from: Decision;
  readonly #to: Decision;
  readonly proxies: ReadonlyMap<Key, True>;
  rollout = new Rollout();
  hadFault = false;

  constructor(from: Decision, to: Decision) {
    [this.#from, this.#to] = [from, to];
    this.proxies = new Map(
      keys.map((key) => [
        key,
        { applied: policyOf(from, key), sent: undefined, refused: undefined, isConnected: true },
      ]),
    );
    this.#target(from);
    for (const key of keys) this.#report(key, true);
    this.rollout.takePushes(Infinity);
    this.#target(to);
    this.#push();
  }

  /** All that can happen next. */
  events(): Event[] {
    const events: Event[] = this.hadFault ? [] : [{ kind: "restart" }];
    for (const [key, { sent, isConnected }] of this.proxies) {
      if (!isConnected) events.push({ kind: "connect", key });
      if (sent !== undefined && isConnected) events.push({ kind: "answer", key });
      if (sent !== undefined && isConnected && !this.hadFault) events.push({ kind: "refuse", key });
      if (isConnected && !this.hadFault) events.push({ kind: "cut", key });
    }
    return events;
  }

  apply(event: Event): void {
    if (event.kind === "restart") this.#restart();
    else this.#happen(event.kind, event.key);
    this.#push();
  }

  /** @returns what is wrong */
  check(): string | undefined {
    const [server, ...clients] = keys.map((key) => this.#possible(key));
    for (const [at, client] of clients.entries()) {
      const isAllowed = [this.#from, this.#to].every(({ mode, sends }) => takes(mode, sends[at]));
      const isWell = (server ?? []).every((s) => client.every((c) => takes(modeAt(s), sentBy(c))));
      if (isAllowed && !isWell) return `client ${at} may not be served: ${this.name}`;
    }
    return undefined;
  }

  get isDone(): boolean {
    return keys.every((key) => this.rollout.stage(key) === "in-force");
  }

  /** The same for the same state. */
  get name(): string {
    const states = keys.map((key) => {
      const { applied, sent, refused, isConnected } = this.#true(key);
      const all = [applied, sent, refused].map((each) => modeAt(each) ?? sentBy(each) ?? "-");
      return [...all, isConnected, this.rollout.stage(key)].join(" ");
    });
    return [...states, this.hadFault].join("; ");
  }

  #happen(kind: Exclude<Event["kind"], "restart">, key: Key): void {
    const proxy = this.#true(key);
    this.hadFault ||= kind === "refuse" || kind === "cut";
    if (kind === "answer") {
      proxy.applied = proxy.sent ?? proxy.applied;
      proxy.refused = undefined;
    } else if (kind === "refuse") {
      proxy.refused = proxy.sent;
    } else if (kind === "cut") {
      // What was on its way is given to Envoy all the same, or lost: it may be in force until the next report says more.
      proxy.isConnected = false;
      return this.rollout.disconnected(key);
    }
    if (kind !== "connect") proxy.sent = undefined;
    const isFirst = kind === "connect";
    proxy.isConnected = true;
    this.#report(key, isFirst);
  }

  #report(key: Key, isFirst: boolean): void {
    const { applied: had, sent, refused } = this.#true(key);
    const pending = isFirst && sent !== undefined ? [sent] : [];
    this.rollout.reported(key, applied(had, { refused, pending }));
  }

  /** Nobody has said anything yet. */
  #restart(): void {
    this.hadFault = true;
    this.rollout = new Rollout();
    for (const proxy of this.proxies.values()) proxy.isConnected = false;
    this.#target(this.#to);
  }

  #target(decision: Decision): void {
    for (const key of keys) {
      const address = key === "s" ? serverAddress : undefined;
      this.rollout.target(key, { desired: policyOf(decision, key), address });
    }
  }

  #push(): void {
    for (const { key, policy } of this.rollout.takePushes(Infinity)) {
      this.#true(key).sent = policy;
    }
  }

  #possible(key: Key): ProxyPolicy[] {
    const { applied, sent } = this.#true(key);
    return sent === undefined ? [applied] : [applied, sent];
  }

  #true(key: string): True {
    const proxy = this.proxies.get(keys.find((each) => each === key) ?? "s");
    assert.ok(proxy);
    return proxy;
  }
}

/** Breadth first; a state is reached again by the events that led to it. */
function explore(from: Decision, to: Decision): number {
  const seen = new Set<string>();
  let paths: readonly (readonly Event[])[] = [[]];
  while (paths.length > 0) {
    const next: (readonly Event[])[] = [];
    for (const path of paths) {
      const model = new Model(from, to);
      for (const event of path) model.apply(event);
      if (seen.has(model.name)) continue;
      seen.add(model.name);
      const wrong = model.check();
      if (wrong !== undefined) assert.fail(`${wrong}: ${JSON.stringify({ from, to, path })}`);
      const events = model.events();
      const isAtRest = events.every(({ kind }) => kind !== "answer" && kind !== "connect");
      const isRefused = [...model.proxies.values()].some(({ refused }) => refused !== undefined);
      if (isAtRest && !isRefused && !model.isDone) {
        assert.fail(`it stops at ${model.name}: ${JSON.stringify({ from, to, path })}`);
      }
      next.push(...events.map((event) => [...path, event]));
    }
    paths = next;
  }
  return seen.size;
}

describe("one server and two clients", () => {
  for (const from of decisions) {
    it(`come well from ${from.mode} and ${from.sends.join(" and ")} to anywhere`, () => {
      const states = decisions.map((to) => explore(from, to));
      assert.ok(Math.max(...states) >= 20, states.join(" "));
    });
  }
});
