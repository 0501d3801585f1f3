import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { pino } from "pino";
import { until } from "../../../../test/support/envoy.ts";
import { policyOf } from "../../../../test/support/proxy-policies.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import { encodePolicy, policyDigest } from "../../../edge/rpc/policy-messages.ts";
import { interceptDurable } from "../../../edge/store/durable.ts";
import { AgentEvents } from "../../../edge/telemetry/agent-events.ts";
import { AgentPolicies } from "./agent-policies.ts";
import type { GivenPolicy, OpenPolicy } from "./policy-feed.ts";

const dayMs = 86_400_000;
const one = { proxyId: "proxy-1", spiffeId: undefined };
const octetsOf = (policy: ProxyPolicy): Uint8Array => encodePolicy(policy);
const [permissive, strict] = [policyOf("permissive"), policyOf("strict")];
const digestOf = (policy: ProxyPolicy): string => policyDigest(octetsOf(policy));

let own: DisposableStack;
let stateDir: string;
let nowMs: number;
let events: { readonly event: string; readonly [field: string]: unknown }[];
let policies: AgentPolicies;

beforeEach(async () => {
  own = new DisposableStack();
  stateDir = own.use(temporaryDirectory()).path;
  nowMs = 1_790_000_000_000;
  events = [];
  policies = await open();
});
afterEach(async () => {
  interceptDurable(undefined);
  await policies.settled();
  own.dispose();
});

async function open(): Promise<AgentPolicies> {
  const log = pino({}, { write: (text) => void events.push(JSON.parse(text)) });
  const agentEvents = new AgentEvents(log);
  return AgentPolicies.open({
    stateDir,
    events: agentEvents,
    nowMs: () => nowMs,
    onChange: () => {},
    silenceMs: 50,
  });
}

async function restart(): Promise<void> {
  await policies.settled();
  policies = await open();
}

interface User {
  readonly stream: OpenPolicy;
  readonly given: GivenPolicy[];
}

/** @param acks whether it takes all that it is given */
function use(
  proxy: { readonly proxyId: string; readonly spiffeId: string | undefined },
  acks = true,
  isFresh = false,
): User {
  const given: GivenPolicy[] = [];
  const stream: OpenPolicy = policies.open({
    proxy,
    labels: new Map([["app", "web"]]),
    hasListeners: true,
    isFresh,
    onPolicy: (policy) => {
      given.push(policy);
      if (acks) stream.acked(policy.digest);
    },
  });
  return { stream, given };
}

const path = (): string => join(stateDir, "policies.json");
const stateOf = (key: string) => policies.known(() => false).here.get(key)?.proxy;
const count = (event: string): number => events.filter((each) => each.event === event).length;

async function take(policy: ProxyPolicy, proxy: Parameters<typeof use>[0] = one): Promise<void> {
  policies.take([{ ...proxy, octets: octetsOf(policy) }]);
  const key = proxy.spiffeId === undefined ? proxy.proxyId : `${proxy.spiffeId} ${proxy.proxyId}`;
  await until(() => stateOf(key)?.applied?.digest === digestOf(policy), "it is kept");
}

describe("an agent's policies", () => {
  it("are there after a restart, for the proxy that took them and for nobody else", async () => {
    const [a, b] = ["a", "b"].map((name) => ({ proxyId: "p", spiffeId: `spiffe://td/${name}` }));
    assert(a !== undefined && b !== undefined);
    use(a);
    use(b);
    await take(strict, a);
    await take(permissive, b);
    assert.equal(statSync(path()).mode & 0o777, 0o600);
    await restart();
    assert.deepEqual(use(a).stream.given?.policy, strict);
    assert.deepEqual(use(b).stream.given?.policy, permissive);
    assert.equal(use({ proxyId: "p", spiffeId: undefined }).stream.given, undefined);
    assert.equal(stateOf("spiffe://td/a p")?.applied?.digest, digestOf(strict));
  });

  it("reach proxies that are here, and no others", () => {
    const { given } = use(one, false);
    const told = policies.take([
      { proxyId: "stranger", spiffeId: undefined, octets: octetsOf(strict) },
      { proxyId: "proxy-1", spiffeId: "spiffe://td/a", octets: octetsOf(strict) },
      { ...one, octets: octetsOf(permissive) },
    ]);
    assert.deepEqual(told, [["proxy-1", digestOf(permissive)]]);
    assert.deepEqual(
      given.map(({ policy }) => policy),
      [permissive],
    );
  });

  it("that are unreadable are said to be, and change nothing", async () => {
    const { given } = use(one);
    await take(strict);
    const octets = Uint8Array.of(0xff);
    policies.take([{ ...one, octets }]);
    assert.equal(given.length, 1);
    assert.equal(count("policy-unreadable"), 1);
    assert.equal(stateOf("proxy-1")?.nack?.digest, policyDigest(octets));
    assert.equal(stateOf("proxy-1")?.applied?.digest, digestOf(strict));
  });

  it("are tried once more when a proxy that has refused one comes back: the reason may be mended", async () => {
    const user = use(one);
    await take(permissive);
    user.stream.close();
    const refusing = use(one, false);
    policies.take([{ ...one, octets: octetsOf(strict) }]);
    refusing.stream.nacked({ digest: digestOf(strict), detail: "no", resources: [] });
    refusing.stream.close();
    const again = use(one, false);
    policies.take([{ ...one, octets: octetsOf(strict) }]);
    assert.deepEqual(again.stream.given?.policy, permissive);
    assert.deepEqual(
      again.given.map(({ policy }) => policy),
      [strict],
    );
    assert.equal(count("policy-refused"), 1);
  });

  it("of nobody who can be named are none", () => {
    for (const proxyId of ["", "p".repeat(1_025)]) {
      const { stream } = use({ proxyId, spiffeId: undefined });
      stream.close();
    }
    assert.equal(policies.known(() => true).here.size, 0);
  });

  it("are reported of those that are away and may act, with labels", async () => {
    const { stream } = use(one);
    await take(strict);
    assert.equal(policies.known(() => true).away.size, 0);
    stream.close();
    assert.equal(policies.known(() => false).away.size, 0);
    await restart();
    const away = policies.known((key) => key === "proxy-1").away.get("proxy-1");
    assert.deepEqual([...(away?.labels ?? [])], [["app", "web"]]);
    assert.deepEqual([away?.applied?.octets, away?.isUnsure], [octetsOf(strict), true]);
  });

  it("are forgotten after 30 days without their proxy, and not before", async () => {
    use(one);
    const other = use({ proxyId: "proxy-2", spiffeId: undefined });
    await take(strict);
    await take(strict, { proxyId: "proxy-2", spiffeId: undefined });
    other.stream.close();
    nowMs += 29 * dayMs;
    // It is here, and has been all the time.
    policies.known(() => false);
    await restart();
    assert.equal(policies.known(() => true).away.size, 2);
    nowMs += 2 * dayMs;
    await restart();
    assert.deepEqual([...policies.known(() => true).away.keys()], ["proxy-1"]);
  });
});

describe("an Envoy that starts anew", () => {
  beforeEach(async () => {
    const { stream } = use(one);
    await take(permissive);
    stream.close();
  });

  it("is given what the server says, and not what is on the disk, which it has after a restart of the agent", async () => {
    const { stream, given } = use(one, true, true);
    assert.equal(stream.given, undefined);
    assert.deepEqual(
      [stateOf("proxy-1")?.applied, stateOf("proxy-1")?.isUnsure],
      [undefined, false],
    );
    await take(strict);
    assert.deepEqual(
      given.map(({ policy }) => policy),
      [strict],
    );
    await restart();
    assert.deepEqual(use(one).stream.given?.policy, strict);
  });

  it("is given what is on the disk when the server says nothing in time", async () => {
    const { given } = use(one, true, true);
    await until(() => given.length > 0, "the last good one");
    assert.deepEqual(given[0]?.policy, permissive);
    assert.equal(stateOf("proxy-1")?.applied?.digest, digestOf(permissive));
  });

  it("is given what is on the disk at once when no server is there", () => {
    policies.talks.ended({});
    assert.deepEqual(use(one, true, true).stream.given?.policy, permissive);
  });

  it("leaves what is on the disk there when it goes before it was told anything", async () => {
    use(one, true, true).stream.close();
    await restart();
    assert.deepEqual(use(one).stream.given?.policy, permissive);
  });
});

describe("the first policy of a proxy", () => {
  it("is there after a restart, though its Envoy has not answered: what that does is unsure", async () => {
    use(one, false);
    policies.take([{ ...one, octets: octetsOf(strict) }]);
    assert.equal(stateOf("proxy-1")?.applied, undefined);
    await until(() => existsSync(path()), "the file");
    await restart();
    const { stream } = use(one, false);
    assert.deepEqual(stream.given?.policy, strict);
    assert.equal(stateOf("proxy-1")?.isUnsure, true);
    stream.acked(digestOf(strict));
    const { isUnsure, applied } = stateOf("proxy-1") ?? {};
    assert.deepEqual([isUnsure, applied?.digest], [false, digestOf(strict)]);
  });

  it("is on no disk any more once it was refused", async () => {
    const { stream } = use(one, false);
    policies.take([{ ...one, octets: octetsOf(strict) }]);
    await until(() => existsSync(path()), "the file");
    stream.nacked({ digest: digestOf(strict), detail: "no", resources: [] });
    await restart();
    assert.equal(use(one).stream.given, undefined);
    assert.equal(stateOf("proxy-1")?.isUnsure, false);
  });

  it("is there whole for whoever does not know it, where it was refused", () => {
    const { stream } = use(one, false);
    policies.take([{ ...one, octets: octetsOf(strict) }]);
    stream.nacked({ digest: digestOf(strict), detail: "no", resources: [] });
    assert.deepEqual(stateOf("proxy-1")?.nack?.octets, octetsOf(strict));
  });
});

describe("on a disk that takes nothing", () => {
  it("a policy is in use, and not reported as applied", async () => {
    const { given } = use(one);
    await take(permissive);
    interceptDurable(() => {
      throw Object.assign(new Error("no space left on device"), { code: "ENOSPC", errno: -28 });
    });
    policies.take([{ ...one, octets: octetsOf(strict) }]);
    await until(() => count("policy-not-kept") > 0, "the failure");
    assert.equal(given.length, 2);
    assert.equal(stateOf("proxy-1")?.applied?.digest, digestOf(permissive));
    interceptDurable(undefined);
    // At the latest at its end.
    await restart();
    assert.deepEqual(use(one).stream.given?.policy, strict);
  });
});

describe("a file of policies", () => {
  const damages: readonly (readonly [string, (text: string) => string])[] = [
    ["that was cut short", (text) => text.slice(0, 60)],
    ["of another version", (text) => text.replace('"version":1', '"version":2')],
    ["that is no object", () => "null"],
    ["without a list", () => '{"version":1}'],
    ["with another digest", (text) => text.replace(/"digest":"./, '"digest":"x')],
    ["with octets that are none", (text) => text.replace(/"policy":"..../, '"policy":"////')],
    ["with a time that is none", (text) => text.replace(/"seenMs":/, '"seenMs":0.')],
    ["with a name that is none", (text) => text.replace('"proxy-1"', "7")],
    ["with labels that are none", (text) => text.replace('"web"', "7")],
  ];
  for (const [what, damage] of damages) {
    it(`${what} is reported, and the agent begins anew`, async () => {
      use(one);
      await take(strict);
      await policies.settled();
      writeFileSync(path(), damage(readFileSync(path(), "utf8")));
      policies = await open();
      assert.equal(count("state-unreadable"), 1);
      assert.equal(use(one).stream.given, undefined);
      await take(permissive);
    });
  }

  it("loses one policy that is none, and no other", async () => {
    use(one);
    const other = { proxyId: "proxy-2", spiffeId: undefined };
    use(other);
    await take(strict);
    await take(strict, other);
    await policies.settled();
    writeFileSync(path(), readFileSync(path(), "utf8").replace(/"digest":"./, '"digest":"x'));
    policies = await open();
    assert.equal(policies.known(() => true).away.size, 1);
  });

  it("is gone with the workload, for good", async () => {
    use(one);
    await take(strict);
    policies.take([{ ...one, octets: octetsOf(permissive) }]);
    await policies.destroy();
    assert(!existsSync(path()));
    policies.take([{ ...one, octets: octetsOf(strict) }]);
    await policies.settled();
    assert(!existsSync(path()));
  });

  for (const [moment, mode] of [
    ["before", "permissive"],
    ["after", "strict"],
  ] as const) {
    it(`has the ${mode} policy when its agent is killed ${moment} the rename`, async () => {
      const script = join(import.meta.dirname, "../../../../test/agent/policy-killed.ts");
      const child = spawn(process.execPath, [script, stateDir, moment]);
      const [, signal] = await once(child, "exit");
      assert.equal(signal, "SIGKILL");
      policies = await open();
      assert.deepEqual(use(one).stream.given?.policy, policyOf(mode));
    });
  }
});
