/** What an operator does about callers without mTLS, and about proxies whose evidence is missing: a sentence for each kind. */

type Deed = (names: string) => string;

/** By holder, in the order in which they are told. */
export const callerDeeds: ReadonlyMap<string, Deed> = new Map<string, Deed>([
  ["workload", (names) => `let the application call through its own proxy: ${names}`],
  ["unmeshed-workload", (names) => `give a sidecar to ${names}`],
  [
    "own-host",
    (names) =>
      `${names}: from the host of the proxy itself, often a health probe; let it ask a port that stays PERMISSIVE, or waive it`,
  ],
  [
    "several",
    (names) => `${names}: several had that address; give each workload one of its own, or wait`,
  ],
  [
    "unknown",
    (names) =>
      `find out who has ${names}, and give it a sidecar; a WorkloadEntry gives an address a name`,
  ],
  [
    "identity",
    (names) =>
      `${names}: of the mesh, and was refused: look at its certificate and its Envoy's log`,
  ],
  ["others", () => "there are more callers than an agent names: end those that it names first"],
]);

/** By reason, as they are told. */
export const silentDeeds: ReadonlyMap<string, Deed> = new Map<string, Deed>([
  [
    "never-reported",
    (names) =>
      `${names}: nothing was told within the look-back; is its agent connected, and of this version`,
  ],
  ["away", (names) => `${names}: start its agent again; nobody tells who calls until then`],
  [
    "envoy-away",
    (names) =>
      `${names}: its agent tells, and its Envoy has no stream with it: start its Envoy again; after a minute it counts as gone`,
  ],
  [
    "unheard",
    (names) =>
      `${names}: not heard since the server's start; agents come back within a minute; whoever does not is waited for until its certificates end`,
  ],
  [
    "pod-gone",
    (names) =>
      `${names}: its pod is gone, and no node has said that it ended: what ran there may run on until its certificates end, as UNTIL says; waive it where that is sure not to be`,
  ],
  [
    "earlier-pod",
    (names) =>
      `${names}: an earlier pod of this name is gone, and no node has said that it ended: what ran there may run on until its certificates end, as UNTIL says; waive it where that is sure not to be`,
  ],
  ["gap", (names) => `nobody watched ${names} for a time: wait until the look-back is past it`],
  [
    "late",
    (names) =>
      `${names}: it has told, and is behind; wait 30 s, and if it stays look whether it is there, and at its agent's log`,
  ],
  ["lost", (names) => `${names}: what was lost is not known: wait until the look-back is past it`],
  [
    "unnamed-open",
    (names) =>
      `${names}: open connections have no name yet: they get it within seconds, or at their end`,
  ],
  [
    "set-aside",
    (names) =>
      `${names}: what was known of before was set aside, as evidence.db could not be read: wait, or look back less`,
  ],
  ["too-young", (names) => `${names}: younger than the look-back: wait, or look back less`],
  ["no-listener", (names) => `${names}: no listener of ours is there; a Sidecar object gives one`],
  ["nobody", (names) => `${names}: without a proxy nobody can say who calls`],
]);
