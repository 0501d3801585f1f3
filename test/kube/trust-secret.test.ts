/** The trust state in a Secret of a real API server: who may write it, what hands do to it, and what a lost disk leaves. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CoordinationV1Api, CoreV1Api, type V1Secret } from "@kubernetes/client-node";
import type { SecretPlace } from "../../src/app/server/kube/trust/trust-secret-error.ts";
import type { Denial, NewDenial } from "../../src/core/deny/denial.ts";
import { DenyList } from "../../src/core/deny/deny-list.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { activeAuthority } from "../../src/core/trust/trust-state.ts";
import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { Store } from "../../src/edge/store/store.ts";
import { logRecorder } from "../support/log-recorder.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { HeldConnection } from "./held-connection.ts";
import { skipKube } from "./skip-kube.ts";
import { holds, startTrust, type TrustPlace, type TrustPlaceOptions } from "./trust-rig.ts";

const lookOften = { lookMs: 50 };
const lookNever = { lookMs: 3_600_000 };

function denialOf(id: string, reason = "stolen"): NewDenial {
  const target = { kind: "identity", id: `spiffe://cluster.local/ns/shop/sa/${id}` } as const;
  return { target, reason, operator: "alice", createdAtMs: Date.now() };
}

/** Nothing packs it. */
function randomDenial(sequence: number): Denial {
  const id = randomBytes(20).toString("hex");
  return { ...denialOf(id, randomBytes(140).toString("base64")), sequence };
}

describe("the trust state in a Secret", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;
  let core: CoreV1Api;
  let leases: CoordinationV1Api;
  let place: SecretPlace;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    leases = cluster.kubeConfig().makeApiClient(CoordinationV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  beforeEach(async () => {
    place = { namespace: await cluster.namespace("trust"), name: "portcullis-trust" };
  });

  const start = (dataDir: string, options: Partial<TrustPlaceOptions> = {}): Promise<TrustPlace> =>
    startTrust({ connection, dataDir, place, ...options });

  const read = async (): Promise<V1Secret & { readonly data: Record<string, string> }> => {
    const secret = await core.readNamespacedSecret({ ...place });
    return Object.assign({}, secret, { data: secret.data ?? {} });
  };
  const textOf = ({ data }: V1Secret, name: string): string =>
    Buffer.from(data?.[name] ?? "", "base64").toString();
  const recordOf = (secret: V1Secret) => JSON.parse(textOf(secret, "trust.json"));
  /** As kubectl edit does: whatever is there. */
  const edit = async (change: (data: Record<string, string>) => void): Promise<void> => {
    const secret = await read();
    change(secret.data);
    await core.replaceNamespacedSecret({ ...place, body: secret });
  };
  const put = (data: Record<string, string>, name: string, text: string): void => {
    data[name] = Buffer.from(text).toString("base64");
  };

  it("is made with the first trust, with the keys that it needs, and follows each change", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path);
    const first = await read();
    const { id } = activeAuthority(here.state());
    assert.equal(recordOf(first).epoch, here.state().epoch);
    assert.match(textOf(first, `key.${id}.pem`), /^-----BEGIN PRIVATE KEY-----/);
    assert.equal(Object.keys(first.data).length, 3, "the record and two keys");
    here.change();
    here.secret.owe();
    await here.secret.publish();
    assert.equal(recordOf(await read()).epoch, here.state().epoch);
    assert.equal(here.secret.isBehind, false);
    assert.doesNotThrow(() => here.secret.assertMaySign());
    const written = (await read()).metadata?.resourceVersion;
    await here.secret.publish();
    assert.equal((await read()).metadata?.resourceVersion, written, "what is there is not written");
  });

  it("gives a server that has lost its disk the root, the keys and the denials that it had", async () => {
    using lost = temporaryDirectory();
    let id = "";
    {
      await using here = await start(lost.path);
      here.deny("spiffe://cluster.local/ns/shop/sa/cart");
      await here.secret.publish();
      id = activeAuthority(here.state()).id;
    }
    using fresh = temporaryDirectory();
    await using there = await start(fresh.path);
    assert.equal(activeAuthority(there.state()).id, id);
    assert.equal(there.store.signingKey(id).type, "private");
    assert.equal(there.store.denials.load().denials[0]?.reason, "stolen");
    assert.ok(there.recorder.events.some(({ event }) => event === "trust-adopted"));
    there.change();
    await there.secret.publish();
    // The old disk comes back, and is behind.
    await there[Symbol.asyncDispose]();
    await using back = await start(lost.path);
    assert.equal(back.state().epoch, recordOf(await read()).epoch);
  });

  it("has keys that are encrypted where the store's are, and is refused without the passphrase", async () => {
    using lost = temporaryDirectory();
    {
      await using here = await start(lost.path, { passphrase: "correct horse" });
      const key = textOf(await read(), `key.${activeAuthority(here.state()).id}.pem`);
      assert.match(key, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    }
    using fresh = temporaryDirectory();
    await assert.rejects(start(fresh.path), { code: "store-key-encrypted" });
    await assert.rejects(start(fresh.path, { passphrase: "wrong" }), {
      code: "store-passphrase-wrong",
    });
    await using there = await start(fresh.path, { passphrase: "correct horse" });
    assert.ok(there.store.signingKey(activeAuthority(there.state()).id));
  });

  it("is put back when it is edited or deleted while the server runs, and who did it is said", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path, { times: lookOften });
    const good = textOf(await read(), "trust.json");
    const hands: readonly ((data: Record<string, string>) => void)[] = [
      (data) => put(data, "trust.json", good.replace(/"epoch":\d+/, '"epoch":99')),
      (data) => put(data, "trust.json", "{}"),
      (data) => Object.keys(data).forEach((name) => name.startsWith("key.") && delete data[name]),
      (data) => put(data, "deny-list.json.gz", "no gzip"),
      (data) => Object.keys(data).forEach((name) => delete data[name]),
    ];
    for (const hand of hands) {
      const whole = (await read()).data;
      await edit(hand);
      await holds(async () => assert.deepEqual((await read()).data, whole));
    }
    await core.deleteNamespacedSecret({ ...place });
    await holds(async () => assert.equal(textOf(await read(), "trust.json"), good));
    const said = here.recorder.events.filter(({ event }) => event === "trust-secret-mended");
    assert.deepEqual([...new Set(said.map(({ state }) => state))], ["edited", "deleted"]);
    assert.ok(said.every(({ manager, state }) => state === "deleted" || manager !== ""));
    assert.doesNotThrow(() => here.secret.assertMaySign());
  });

  it("says at once that it was made immutable, and is whole again when that one is deleted", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path, { times: lookNever });
    const body = Object.assign({}, await read(), { immutable: true });
    await core.replaceNamespacedSecret({ ...place, body });
    const { epoch } = here.change();
    const hint = `an immutable Secret cannot be changed; deleted, it is made anew: kubectl -n ${place.namespace} delete secret ${place.name}`;
    const code = "trust-secret-immutable";
    await assert.rejects(here.secret.publish(), { code, hint });
    const failed = here.recorder.events.filter(({ event }) => event === "trust-secret-failed");
    assert.deepEqual(
      failed.map((each) => [each["reason"], each["hint"]]),
      [[code, hint]],
    );
    await core.deleteNamespacedSecret({ ...place });
    await here.secret.publish();
    assert.equal(recordOf(await read()).epoch, epoch);
    assert.ok(here.recorder.events.some(({ event }) => event === "trust-secret-good"));
  });

  it("is put back where somebody restored an older one", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path, { times: lookOften });
    const older = (await read()).data;
    here.change();
    await here.secret.publish();
    const newer = (await read()).data;
    await edit((data) => Object.assign(data, older));
    await holds(async () => assert.deepEqual((await read()).data, newer));
  });

  it("keeps a server waiting that has a copy of the data directory of the one that runs", async () => {
    using directory = temporaryDirectory();
    await (await start(directory.path))[Symbol.asyncDispose]();
    using copy = temporaryDirectory();
    cpSync(directory.path, copy.path, { recursive: true });
    await using here = await start(directory.path);
    const recorder = logRecorder();
    const stop = new AbortController();
    const there = start(copy.path, { recorder, signal: stop.signal });
    const ended = assert.rejects(there, { code: "start-interrupted" });
    await holds(() => assert.ok(recorder.events.some(({ event }) => event === "lease-waiting")));
    assert.doesNotThrow(() => here.secret.assertMayChange());
    stop.abort();
    await ended;
  });

  it("is not written over from a copy of the data directory that has gone on by itself", async () => {
    using directory = temporaryDirectory();
    await (await start(directory.path))[Symbol.asyncDispose]();
    using copy = temporaryDirectory();
    cpSync(directory.path, copy.path, { recursive: true });
    {
      await using here = await start(directory.path);
      here.change();
      await here.secret.publish();
    }
    const written = textOf(await read(), "trust.json");
    {
      using store = await Store.open(copy.path, "server");
      for (const id of ["cart", "api"]) {
        const before = store.denials.load();
        store.denials.replace(before, before.add(denialOf(id)));
      }
    }
    await assert.rejects(start(copy.path), { code: "trust-secret-forked" });
    assert.equal(textOf(await read(), "trust.json"), written);
  });

  it("is put back seldom where a tool writes it again and again, and who that is is said; a change goes there at once", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path, { times: lookOften });
    const tool = (await read()).data;
    here.change();
    await here.secret.publish();
    const ours = (await read()).data;
    for (let times = 0; times < 6; times++) {
      await edit((data) => Object.assign(data, tool));
      await holds(async () => assert.deepEqual((await read()).data, ours));
    }
    const contested = here.recorder.events.filter(
      ({ event }) => event === "trust-secret-contested",
    );
    assert.deepEqual(
      contested.map(({ manager }) => manager),
      ["kubernetes-client-javascript"],
    );
    await edit((data) => Object.assign(data, tool));
    await holds(() => assert.equal(here.secret.isBehind, true));
    const { detail = "", hint } = here.secret.report().shortfall ?? {};
    assert.match(detail, /writes it, too/);
    assert.match(hint ?? "", /leave it to this server/);
    assert.doesNotThrow(() => here.secret.assertMaySign());
    await sleep(500);
    assert.deepEqual((await read()).data, tool);
    // What is gone is not left so.
    await core.deleteNamespacedSecret({ ...place });
    await holds(async () => assert.deepEqual((await read()).data, ours));
    here.change();
    await here.secret.publish();
    assert.equal(recordOf(await read()).epoch, here.state().epoch);
  });

  it("says what a hand has done although something is owed to it", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path, { times: { lookMs: 3_600_000 } });
    here.change();
    await core.deleteNamespacedSecret({ ...place });
    await here.secret.publish();
    const mended = here.recorder.events.filter(({ event }) => event === "trust-secret-mended");
    assert.deepEqual(
      mended.map(({ state }) => state),
      ["deleted"],
    );
  });

  it("says that it lacks a deny list that is too large for a Secret, is behind, and has the next that is not", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path, { times: { lookMs: 3_600_000 } });
    const { denials } = here.store;
    const before = denials.load();
    const all = Array.from({ length: 8_000 }, (_, at) => randomDenial(at + 1));
    const large = DenyList.of(all.length, all);
    denials.replace(before, large);
    await here.secret.publish();
    assert.equal((await read()).data["deny-list.json.gz"], undefined);
    assert.ok(here.recorder.events.some(({ event }) => event === "trust-secret-lacks-denials"));
    assert.equal(here.secret.isBehind, true);
    const { detail = "", hint } = here.secret.report().shortfall ?? {};
    assert.match(detail, /too large/);
    assert.match(hint ?? "", /portcullis deny list/);
    assert.doesNotThrow(() => here.secret.assertMaySign());
    denials.replace(large, DenyList.of(all.length + 1, all.slice(0, 100)));
    await here.secret.publish();
    assert.notEqual((await read()).data["deny-list.json.gz"], undefined);
    assert.equal(here.secret.isBehind, false);
    assert.equal(here.secret.report().shortfall, undefined);
  });

  it("is not taken over by a server of another trust domain, which keeps nothing of it", async () => {
    using lost = temporaryDirectory();
    await (await start(lost.path))[Symbol.asyncDispose]();
    using fresh = temporaryDirectory();
    const config = { trustDomain: TrustDomain.parse("other.example") };
    await assert.rejects(start(fresh.path, { config }), { code: "trust-secret-foreign" });
    using store = await Store.open(fresh.path, "server");
    assert.equal(store.loadTrustState(), undefined);
  });

  it("is taken over with the longest lifetime of what may have been signed before, and a minute", async () => {
    using lost = temporaryDirectory();
    const ninetyDays = { maxTtlSeconds: 90 * 86_400 };
    await (await start(lost.path, { config: ninetyDays }))[Symbol.asyncDispose]();
    using fresh = temporaryDirectory();
    const beganMs = Date.now();
    await using there = await start(fresh.path, { config: { maxTtlSeconds: 3_600 } });
    const [untilMs = 0] = there.lostUntilMs;
    const leftMs = untilMs - beganMs - 60_000 - 90 * 86_400_000;
    assert.ok(leftMs >= 0 && leftMs < 60_000, `${leftMs}`);
  });

  it("refuses what one that was cut off had sent before another took over, and that one goes on", async () => {
    using lost = temporaryDirectory();
    using line = await HeldConnection.open(cluster);
    await using cut = await start(lost.path, { connection: line, times: lookNever });
    const write = line.holdSecret();
    cut.change();
    const publication = cut.secret.publish();
    publication.catch(() => {});
    await write.sent;
    line.cut();
    // As after its duration.
    await leases.deleteNamespacedLease({ ...place });
    using fresh = temporaryDirectory();
    await using there = await start(fresh.path, { times: lookOften });
    line.mend();
    await holds(() => {
      const { holder } = cut.secret.report().lease;
      assert.equal(holder, there.secret.report().lease.holder, "it knows that it has lost it");
    });
    write.release();
    await assert.rejects(write.answer, { code: "kube-conflict" });
    await assert.rejects(publication, { code: "trust-lease-taken" });
    await there.secret.publish();
    assert.doesNotThrow(() => there.secret.assertMaySign());
    assert.equal(recordOf(await read()).epoch, there.state().epoch);
  });

  it("is taken over as one that was cut off has written it meanwhile, where that came first", async () => {
    using lost = temporaryDirectory();
    await (await start(lost.path))[Symbol.asyncDispose]();
    const { encodeTrustRecord, parseTrustRecord } =
      await import("../../src/core/kube/trust/trust-record.ts");
    const record = parseTrustRecord(textOf(await read(), "trust.json"));
    const state = { ...record.state, epoch: record.state.epoch + 1 };
    using line = await HeldConnection.open(cluster);
    const write = line.holdSecret();
    using fresh = temporaryDirectory();
    const starting = start(fresh.path, { connection: line });
    await Promise.race([write.sent, starting]);
    await edit((data) => put(data, "trust.json", encodeTrustRecord({ ...record, state })));
    write.release();
    await using there = await starting;
    assert.equal(there.state().epoch, state.epoch);
    assert.equal(recordOf(await read()).epoch, state.epoch);
    await assert.rejects(write.answer, { code: "kube-conflict" });
  });

  it("is another version for each server that has taken the Lease, also of one data directory, with the same in it", async () => {
    using directory = temporaryDirectory();
    await (await start(directory.path))[Symbol.asyncDispose]();
    const before = await read();
    await using again = await start(directory.path, { times: lookOften });
    const after = await read();
    assert.deepEqual(after.data, before.data);
    assert.notEqual(after.metadata?.resourceVersion, before.metadata?.resourceVersion);
    // Another one has it for a while, and writes in its name.
    const lease = await leases.readNamespacedLease({ ...place });
    const spec = Object.assign({}, lease.spec, { holderIdentity: "thief_w9" });
    const taken = Object.assign({}, lease, { spec });
    await leases.replaceNamespacedLease({ ...place, body: taken });
    await holds(() => assert.equal(again.secret.report().lease.holder, "thief_w9"));
    const annotations = { "portcullis.io/lease-holder": "thief_w9" };
    const metadata = Object.assign({}, after.metadata, { annotations });
    const body = Object.assign({}, after, { metadata });
    const theirs = await core.replaceNamespacedSecret({ ...place, body });
    await leases.deleteNamespacedLease({ ...place });
    await holds(async () => {
      const ours = await read();
      assert.notEqual(ours.metadata?.resourceVersion, theirs.metadata?.resourceVersion);
    });
    assert.deepEqual((await read()).data, before.data);
    assert.ok(again.recorder.events.every(({ event }) => event !== "trust-secret-mended"));
  });

  describe("says that what another process has signed is in no log of this directory", () => {
    const stop = async (started: Promise<TrustPlace>): Promise<void> =>
      await (await started)[Symbol.asyncDispose]();

    it("where copies of it take turns at one epoch", async () => {
      const config = { maxTtlSeconds: 3_600 };
      using one = temporaryDirectory();
      await stop(start(one.path, { config }));
      using two = temporaryDirectory();
      cpSync(one.path, two.path, { recursive: true });
      {
        await using copy = await start(two.path, { config });
        assert.deepEqual(copy.lostUntilMs, [], "nobody has had it since it was copied");
      }
      for (const path of [one.path, two.path]) {
        const beganMs = Date.now();
        await using here = await start(path, { config });
        const [untilMs = 0, ...more] = here.lostUntilMs;
        const leftMs = untilMs - beganMs - 60_000 - 3_600_000;
        assert.ok(leftMs >= 0 && leftMs < 60_000, `${leftMs}`);
        assert.deepEqual(more, []);
        assert.ok(here.recorder.events.some(({ event }) => event === "trust-held-elsewhere"));
      }
    });

    it("with the longest lifetime of what that one may have signed", async () => {
      using one = temporaryDirectory();
      await stop(start(one.path, { config: { maxTtlSeconds: 3_600 } }));
      using two = temporaryDirectory();
      cpSync(one.path, two.path, { recursive: true });
      await stop(start(two.path, { config: { maxTtlSeconds: 90 * 86_400 } }));
      await using here = await start(one.path, { config: { maxTtlSeconds: 3_600 } });
      assert.ok((here.lostUntilMs[0] ?? 0) > Date.now() + 90 * 86_400_000);
    });

    it("where it is found again after a server that was made from the Secret", async () => {
      using lost = temporaryDirectory();
      await stop(start(lost.path));
      using fresh = temporaryDirectory();
      await stop(start(fresh.path));
      await using back = await start(lost.path);
      assert.equal(back.lostUntilMs.length, 1);
    });

    it("also where a hand has been at the Secret since", async () => {
      using one = temporaryDirectory();
      await stop(start(one.path));
      using two = temporaryDirectory();
      cpSync(one.path, two.path, { recursive: true });
      const older = (await read()).data;
      {
        await using copy = await start(two.path);
        copy.change();
        await copy.secret.publish();
      }
      await stop(start(one.path));
      await edit((data) => Object.assign(data, older));
      await using copy = await start(two.path);
      assert.equal(copy.lostUntilMs.length, 1);
    });

    it("while it runs, where it takes the Lease back from another, and changes nothing before", async () => {
      using one = temporaryDirectory();
      await stop(start(one.path));
      using two = temporaryDirectory();
      cpSync(one.path, two.path, { recursive: true });
      await using here = await start(one.path, { times: lookNever });
      await leases.deleteNamespacedLease({ ...place });
      {
        await using copy = await start(two.path, { times: lookNever });
        await holds(() => assert.equal(here.secret.report().lease.isHeld, false));
        assert.equal(copy.secret.report().lease.isHeld, true);
      }
      await holds(() => assert.equal(here.secret.report().lease.isHeld, true));
      assert.throws(() => here.secret.assertMayChange(), { code: "trust-lease-lost" });
      await here.secret.publish();
      assert.equal(here.lostUntilMs.length, 1);
      assert.doesNotThrow(() => here.secret.assertMayChange());
      await here.secret.publish();
      assert.equal(here.lostUntilMs.length, 1);
    });

    it("again where the log could not be written, and changes nothing before", async () => {
      using one = temporaryDirectory();
      await stop(start(one.path));
      using two = temporaryDirectory();
      cpSync(one.path, two.path, { recursive: true });
      let isLogFull = true;
      await using here = await start(one.path, { times: lookNever, isLogFull: () => isLogFull });
      await leases.deleteNamespacedLease({ ...place });
      await stop(start(two.path, { times: lookNever }));
      await holds(() =>
        assert.throws(() => here.secret.assertMayChange(), { message: /who had it/ }),
      );
      await assert.rejects(here.secret.publish(), { message: "the log is full" });
      assert.throws(() => here.secret.assertMayChange(), { code: "trust-lease-lost" });
      isLogFull = false;
      await here.secret.publish();
      assert.equal(here.lostUntilMs.length, 1);
      assert.doesNotThrow(() => here.secret.assertMayChange());
    });

    it("and nothing of the kind after a start like any other, nor one that was killed before or after its write", async () => {
      using directory = temporaryDirectory();
      await stop(start(directory.path));
      for (const isArrived of [false, true]) {
        using line = await HeldConnection.open(cluster);
        const write = line.holdSecret();
        const starting = start(directory.path, { connection: line, times: lookNever });
        const ended = starting.then((started) => started[Symbol.asyncDispose]()).catch(() => {});
        await write.sent;
        using killed = temporaryDirectory();
        cpSync(directory.path, killed.path, { recursive: true });
        if (isArrived) {
          write.release();
          await write.answer;
        }
        await leases.deleteNamespacedLease({ ...place });
        await using again = await start(killed.path);
        assert.deepEqual(again.lostUntilMs, [], isArrived ? "arrived" : "not sent");
        write.release();
        await ended;
      }
    });

    it("and nothing where the Secret or the directory is of an older version, which has no names there", async () => {
      using directory = temporaryDirectory();
      await stop(start(directory.path));
      const secret = await read();
      const metadata = Object.assign({}, secret.metadata, { annotations: {} });
      await core.replaceNamespacedSecret({
        ...place,
        body: Object.assign({}, secret, { metadata }),
      });
      {
        await using here = await start(directory.path);
        assert.deepEqual(here.lostUntilMs, []);
      }
      {
        using store = await Store.open(directory.path, "server");
        const { holders: _, ...older } = JSON.parse(store.facts.recall("trust-secret") ?? "");
        store.facts.remember("trust-secret", JSON.stringify(older));
      }
      await using here = await start(directory.path);
      assert.deepEqual(here.lostUntilMs, []);
    });
  });

  it("has the longest lifetime before anything is signed with it, and when it was lowered again", async () => {
    using directory = temporaryDirectory();
    const day = { maxTtlSeconds: 86_400 };
    await using here = await start(directory.path, { config: day, times: lookOften });
    await here.secret.publish();
    await here.secret.publish();
    await here.secret.raiseTtl(30 * 86_400);
    assert.equal(recordOf(await read()).ttlMaxSeconds, 30 * 86_400);
    await here.secret.raiseTtl(86_400);
    assert.equal(recordOf(await read()).ttlMaxSeconds, 30 * 86_400);
    assert.ok(here.recorder.events.every(({ event }) => event !== "trust-secret-mended"));
  });

  it("is never written over when it is of a later epoch: nothing is signed or changed any more", async () => {
    using directory = temporaryDirectory();
    await using here = await start(directory.path, { times: lookOften });
    // What another server would write: a copy of this disk, that goes on without the Lease.
    const { encodeTrustRecord, parseTrustRecord } =
      await import("../../src/core/kube/trust/trust-record.ts");
    const record = parseTrustRecord(textOf(await read(), "trust.json"));
    const state = { ...record.state, epoch: record.state.epoch + 5 };
    const later = encodeTrustRecord({ ...record, writer: "ffffffffffffffff", state });
    await edit((data) => put(data, "trust.json", later));
    await holds(async () => assert.equal(here.secret.problems.length, 1));
    assert.match(here.secret.problems[0]?.hint ?? "", /started again, it takes over/);
    assert.deepEqual(
      here.overtaken.map(({ code }) => code),
      ["trust-secret-advanced"],
    );
    assert.equal(here.secret.report().lease.isHeld, false);
    assert.throws(() => here.secret.assertMaySign(), { code: "signer-unavailable" });
    assert.throws(() => here.secret.assertMayChange(), { code: "trust-secret-advanced" });
    await assert.rejects(here.secret.publish(), { code: "trust-secret-advanced" });
    assert.equal(textOf(await read(), "trust.json"), later);
    // The same is taken over by a start.
    await here[Symbol.asyncDispose]();
    await using again = await start(directory.path);
    assert.equal(again.state().epoch, state.epoch);
  });

  it("refuses a start on one that a hand has changed, or of another mesh, and changes nothing", async () => {
    using directory = temporaryDirectory();
    await (await start(directory.path))[Symbol.asyncDispose]();
    const good = textOf(await read(), "trust.json");
    await edit((data) => put(data, "trust.json", good.replace(/"epoch":\d+/, '"epoch":99')));
    await assert.rejects(start(directory.path), (error) => {
      assert.match(String(Reflect.get(Object(error), "hint")), /delete secret portcullis-trust/);
      return Reflect.get(Object(error), "code") === "trust-secret-edited";
    });
    using fresh = temporaryDirectory();
    await assert.rejects(start(fresh.path), { code: "trust-secret-edited" });
    await edit((data) => put(data, "trust.json", good));
    using other = temporaryDirectory();
    const elsewhere = { ...place, name: "other" };
    await (await start(other.path, { place: elsewhere }))[Symbol.asyncDispose]();
    await assert.rejects(start(other.path), { code: "trust-secret-foreign" });
    assert.equal(textOf(await read(), "trust.json"), good);
    await (await start(directory.path))[Symbol.asyncDispose]();
  });

  it("refuses a key that is not the one that the trust state names, and a list that is missing", async () => {
    using lost = temporaryDirectory();
    await using here = await start(lost.path);
    here.deny("spiffe://cluster.local/ns/shop/sa/cart");
    await here.secret.publish();
    await here[Symbol.asyncDispose]();
    const whole = (await read()).data;
    const [one = "", two = ""] = Object.keys(whole).filter((name) => name.startsWith("key."));
    const hands: readonly ((data: Record<string, string>) => void)[] = [
      (data) => Object.assign(data, { [one]: whole[two], [two]: whole[one] }),
      (data) => delete data[one],
      (data) => delete data["deny-list.json.gz"],
    ];
    for (const hand of hands) {
      await edit(hand);
      using fresh = temporaryDirectory();
      await assert.rejects(start(fresh.path), { code: "trust-secret-incomplete" });
      using store = await Store.open(fresh.path, "server");
      assert.equal(store.loadTrustState(), undefined);
      await edit((data) => Object.assign(data, whole));
    }
  });

  it("may be 60 s unseen before nothing is signed, and is found again by itself", async () => {
    using directory = temporaryDirectory();
    let aheadMs = 0;
    const monotonicMs = (): number => performance.now() + aheadMs;
    await using here = await start(directory.path, { times: { lookMs: 100 }, monotonicMs });
    await cluster.kill();
    try {
      aheadMs += 50_000;
      assert.doesNotThrow(() => here.secret.assertMaySign());
      assert.throws(() => here.secret.assertMayChange(), { code: "trust-lease-lost" });
      aheadMs += 20_000;
      assert.throws(() => here.secret.assertMaySign(), { code: "signer-unavailable" });
      await holds(() => {
        const [problem] = here.secret.problems;
        assert.match(problem?.detail ?? "", /was not seen for \d+ s$/);
        assert.match(problem?.hint ?? "", /\(GET .*secrets/);
      });
    } finally {
      await cluster.restart();
    }
    await holds(async () => here.secret.assertMaySign(), 20_000);
    await holds(async () => here.secret.assertMayChange(), 20_000);
    here.change();
    await here.secret.publish();
    assert.equal(recordOf(await read()).epoch, here.state().epoch);
  });
});
