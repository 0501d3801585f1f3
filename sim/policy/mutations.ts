/** Planted bugs of the rollout: exact text of production code, and what the simulator of policies must find. */

import type { Mutation } from "../mutation/mutations.ts";

const rollout = "src/core/policy/rollout.ts";
/** Of the simulator: what an agent must keep to, and says in production by code of its own. */
const agent = "sim/policy/agent.ts";
const client = "src/core/policy/rollout-client.ts";
const listening = "src/core/policy/rollout-listening.ts";
const lingering = "src/core/policy/rollout-lingering.ts";
const proxy = "src/core/policy/rollout-proxy.ts";
const server = "src/core/policy/rollout-server.ts";
const servers = "src/core/policy/rollout-servers.ts";

export const policyMutations: readonly Mutation[] = [
  {
    name: "a client does not wait for its server",
    file: servers,
    before: "return this.#lateStates(socket, kind).length === 0;",
    after: "return this.#lateStates(socket, kind).length >= 0;",
  },
  {
    name: "a server surely takes what it has acknowledged, whatever is on its way",
    file: listening,
    before:
      "return modes.reduce<Kinds>((kinds, mode) => intersection(kinds, kindsTaken(mode)), both);",
    after: "return kindsTaken(modes[0]);",
  },
  {
    name: "a server surely takes what any of its policies takes",
    file: listening,
    before:
      "return modes.reduce<Kinds>((kinds, mode) => intersection(kinds, kindsTaken(mode)), both);",
    after: "return modes.reduce<Kinds>((kinds, mode) => union(kinds, kindsTaken(mode)), 0);",
  },
  {
    name: "a server may take its first policy only",
    file: listening,
    before: "(kinds, mode) => union(kinds, mode === undefined ? unlistened : kindsTaken(mode)),",
    after: "(kinds, mode) => (kinds === 0 ? kindsTaken(mode) : kinds),",
  },
  {
    name: "a new server waits for nobody",
    file: listening,
    before: 'const first = typeof state.applied === "object" ? 0 : unlistened;',
    after: "const first = 0;",
  },
  {
    name: "what is on its way to a client is not counted",
    file: lingering,
    before: "for (const policy of possiblePolicies(state)) {",
    after: "for (const policy of possiblePolicies({ ...state, sent: undefined })) {",
  },
  {
    name: "what was given to an Envoy is not counted",
    file: lingering,
    before: "for (const policy of possiblePolicies(state)) {",
    after: "for (const policy of possiblePolicies({ ...state, pending: [] })) {",
  },
  {
    name: "a client that has not said what it has is not waited for",
    file: lingering,
    before: "if (applied === undefined) {",
    after: "if (applied === undefined) { return;",
  },
  {
    name: "a proxy that has not said what it has is told another",
    file: rollout,
    before: "if (desired === undefined || isWaiting) return untold;",
    after: "if (desired === undefined) return untold;",
  },
  {
    name: "a held port goes on",
    file: server,
    before: "if (held.length === 0) return { inbound, modes, held };",
    after: "if (held.length >= 0) return { inbound, modes, held };",
  },
  {
    name: "a strict port is opened for whoever is not known",
    file: server,
    before: "lingering.unknown(port) & perhapsTaken(state, port, mesh) & refused;",
    after: "lingering.unknown(port) & refused;",
  },
  {
    name: "a server is not asked again when its last caller has moved",
    file: rollout,
    before: "if (!this.#tallies.change(socket, kind, isKnown, change)) return;",
    after: "if (!this.#tallies.change(socket, kind, isKnown, change) || change < 0) return;",
  },
  {
    name: "a server without listeners of ours is not asked again",
    file: servers,
    before: "yield* this.#asking.get(address) ?? nobody;",
    after: "",
  },
  {
    name: "a client is not asked again when its server has moved",
    file: rollout,
    before: "for (const key of this.#waiters.at(address, port)) this.#dirty.add(key);",
    after: "",
  },
  {
    name: "two pushes are on their way, and the second is counted",
    file: rollout,
    before: "if (state === undefined || !state.isConnected || state.sent !== undefined) continue;",
    after: "if (state === undefined || !state.isConnected) continue;",
  },
  {
    name: "any report answers what is on its way",
    file: proxy,
    before: "sent: isAnswered ? undefined : sent",
    after: "sent: undefined",
  },
  {
    name: "what was refused is sent again",
    file: "src/core/policy/rollout-stage.ts",
    before: "return sameValue(newestPolicy(state), policy) || sameValue(state.refused, policy);",
    after: "return sameValue(newestPolicy(state), policy);",
  },
  {
    name: "a proxy that is away is not waited for",
    file: rollout,
    before: "this.#change(key, { ...state, isConnected: false, applied });",
    after:
      'this.#change(key, { ...state, isConnected: false, applied: "nothing", pending: [], sent: undefined }); void applied;',
  },
  {
    name: "a client that keeps mTLS loses its names",
    file: client,
    before: 'mtls: sent.has("mtls") ? (desired.mtls ?? had.mtls) : undefined,',
    after: "mtls: desired.mtls,",
  },
  {
    name: "a client that waits is told plaintext",
    file: client,
    before: "if (before.some((each) => isSame(each, endpoint))) continue;",
    after: 'if (endpoint.sends !== "mtls") continue;',
  },
  {
    name: "a client goes back where it was ahead",
    file: client,
    before: "if (before !== undefined) return [{ ...endpoint, sends: before.sends }];",
    after: "",
  },
  {
    name: "a server takes at its address what it takes at another",
    file: listening,
    before: "return desired !== undefined && listenerAt(desired, port)?.bind === bind;",
    after: "return true;",
  },
  {
    name: "a client is told an address before its server listens there",
    file: client,
    before:
      "if (moved !== undefined) return [{ ...endpoint, address: moved.address, sends: moved.sends }];",
    after: "void moved;",
  },
  {
    name: "a client is told an address where nobody was heard since the server's start",
    file: client,
    before: "if (left !== undefined && view.isUnheard(endpoint)) return left;",
    after: "",
  },
  {
    name: "a client does not stay where its server was when that is away",
    file: listening,
    before: 'if (hasListeners !== true || typeof applied !== "object") return undefined;',
    after:
      'if (!state.isConnected || hasListeners !== true || typeof applied !== "object") return undefined;',
  },
  {
    name: "a client is not asked again when its server is heard where it was",
    file: servers,
    before: 'return [port, [...taken, movedFrom(state, port)].join(" ")];',
    after: 'return [port, taken.join(" ")];',
  },
  {
    name: "an agent does not say what its Envoy has not answered",
    file: agent,
    before: "pending: given,",
    after: "pending: emptyDisk.given,",
  },
  {
    name: "an agent that has forgotten what it gave says what is on its disk",
    file: agent,
    before: "applied: this.#isUnsure ? undefined : lastGood,",
    after: "applied: lastGood,",
  },
];
