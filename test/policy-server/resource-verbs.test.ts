/** `apply`, `get`, `diff` and `delete` with a server that has the real configuration, store and log. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { changeResources, listResources } from "../../src/edge/rpc/resource-client.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { openResourcesRig, peerYaml, rigNowMs, say, type ResourcesRig } from "./resources-rig.ts";

const strict = peerYaml("payments/default", "STRICT");
const permissive = peerYaml("payments/default", "PERMISSIVE");
/** Of a host that nobody has. */
const weak = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: weak, namespace: payments }
spec: { host: ghost, trafficPolicy: { tls: { mode: DISABLE } } }
`;

async function withRig(
  work: (rig: ResourcesRig, file: (text: string, name?: string) => string) => Promise<void>,
): Promise<void> {
  using data = temporaryDirectory();
  using files = temporaryDirectory();
  await using rig = await openResourcesRig(data.path);
  await work(rig, (text, name = "f.yaml") => {
    const path = join(files.path, name);
    writeFileSync(path, text);
    return path;
  });
}

describe("apply", () => {
  it("says of each object what was done, and on stderr what is weaker than it looks", async () =>
    await withRig(async (rig, file) => {
      const path = file(`${strict}---\n${weak}`);
      const dry = await say(rig, "apply", "-f", path, "--dry-run");
      const done = await say(rig, "apply", "-f", path);
      const lines = [
        "PeerAuthentication payments/default created",
        "DestinationRule payments/weak created",
      ];
      assert.equal(dry.out, lines.map((line) => `${line} (dry run)\n`).join(""));
      assert.equal(done.out, lines.map((line) => `${line}\n`).join(""));
      assert.deepEqual([dry.code, done.code], [0, 0]);
      assert.match(done.err, /^warning: .*f\.yaml:10: DestinationRule payments\/weak: /);
      assert.equal(dry.err, done.err);
      const again = await say(rig, "apply", "-f", path, "-o", "json");
      const value = JSON.parse(again.out);
      assert.deepEqual(
        [value.sequence, value.dryRun, value.changes[0].action, value.findings[0].object.name],
        [1, false, "unchanged", "weak"],
      );
      assert.equal(rig.events()[0]?.operator, "ada");
    }));

  it("exits 3 where something of the files has no effect here, and says that a date is none", async () =>
    await withRig(async (rig, file) => {
      const idle = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: g }\n";
      const some = await say(rig, "apply", "-f", file(`${strict}---\n${idle}`));
      assert.equal(some.code, 3);
      assert.match(some.err, /^warning: .*Gateway/);
      const date = '\n  annotations: { portcullis.io/permissive-until: "24.12.2026" }';
      const path = file(peerYaml("payments/late", "PERMISSIVE", date));
      const done = await say(rig, "apply", "-f", path);
      assert.equal(done.code, 0);
      assert.match(
        done.err,
        /^warning: .*payments\/late: metadata\.annotations\."portcullis\.io\/permissive-until": expected a date or time such as 2026-12-24 .*, got "24\.12\.2026"/m,
      );
    }));

  it("goes by the ages that its objects get: one without an age in the server's directory is younger", async () => {
    using data = temporaryDirectory();
    using files = temporaryDirectory();
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "a.yaml"), peerYaml("payments/a", "PERMISSIVE"));
    await using rig = await openResourcesRig(data.path, directory.path);
    const path = join(files.path, "b.yaml");
    writeFileSync(path, peerYaml("payments/b", "STRICT"));
    for (const more of [["--dry-run"], []]) {
      const { err } = await say(rig, "apply", "-f", path, ...more);
      assert.match(err, /PeerAuthentication payments\/b counts .*: this has no creationTimestamp/);
    }
  });

  it("takes nothing of files of which one is bad, and names the line", async () =>
    await withRig(async (rig, file) => {
      const bad = await say(
        rig,
        "apply",
        "-f",
        file(`${strict}---\n${weak.replace("DISABLE", "OFF")}`),
      );
      assert.equal(bad.code, 1);
      assert.match(bad.err, /f\.yaml:\d+: .*expected one of .*\nhint: portcullis validate/);
      assert.deepEqual(rig.resources.set.objects(), []);
      assert.equal((await say(rig, "apply")).code, 2);
    }));

  it("of what another client sends is refused by the server, too", async () =>
    await withRig(async (rig) => {
      const { objects } = parseManifests(strict, "f.yaml");
      const manifests = objects.map(({ manifest, origin }) => ({
        manifest: { ...manifest, spec: { mtls: { mode: "OFF" } } },
        origin,
      }));
      const request = { apply: manifests, remove: [], isDryRun: false, operator: "ada" };
      await assert.rejects(changeResources(rig.admin, request), {
        code: "resource-invalid",
        message: /f\.yaml:1: spec\.mtls\.mode: expected one of/,
      });
      await assert.rejects(changeResources(rig.admin, { ...request, apply: [], operator: "" }), {
        code: "resource-invalid",
      });
    }));

  it("takes thousands at once, and list gives them back", async () =>
    await withRig(async (rig) => {
      const texts = Array.from({ length: 3_000 }, (_, index) => peerYaml(`n${index}/p`, "STRICT"));
      const apply = texts.flatMap((text) => parseManifests(text, "f.yaml").objects);
      const request = { apply, remove: [], isDryRun: false, operator: "ada" };
      assert.equal((await changeResources(rig.admin, request)).changes.length, 3_000);
      const { objects, trustDomain, sequence } = await listResources(rig.admin);
      assert.deepEqual([objects.length, trustDomain, sequence], [3_000, "cluster.local", 1]);
      assert.deepEqual(
        new Set(objects.map(({ object }) => object.object.ref.namespace)).size,
        3_000,
      );
    }));
});

describe("get", () => {
  it("shows what a namespace has: age, place, meaning and findings", async () =>
    await withRig(async (rig, file) => {
      assert.match((await say(rig, "get")).out, /^the server has no objects: portcullis apply/);
      await say(rig, "apply", "-f", file(`${strict}---\n${weak}`));
      rig.nowMs = rigNowMs + 90_000;
      const { code, out } = await say(rig, "get", "-n", "payments");
      assert.equal(code, 0);
      const [head, first, second] = out.split("\n");
      assert.match(head ?? "", /^NAMESPACE +KIND +NAME +AGE +FROM +SAYS +FINDINGS/);
      const says = "ghost.payments.svc.cluster.local DISABLE";
      assert.match(
        first ?? "",
        new RegExp(`^payments +DestinationRule +weak .* ${says} +unknown-host`),
      );
      assert.match(second ?? "", /^payments +PeerAuthentication +default +1m30s +apply +STRICT +-/);
      assert.match((await say(rig, "get")).out, /^no objects of that kind in default; all 2: /);
      const one = JSON.parse((await say(rig, "get", "-A", "-o", "json")).out);
      assert.deepEqual([one.sequence, one.items.length, one.items[1].says], [1, 2, "STRICT"]);
    }));

  it("prints manifests that apply takes for what they are", async () =>
    await withRig(async (rig, file) => {
      await say(rig, "apply", "-f", file(`${strict}---\n${weak}`));
      const { out } = await say(rig, "get", "-A", "-o", "yaml");
      const again = await say(rig, "apply", "-f", file(out, "kept.yaml"));
      assert.equal(again.out.match(/ unchanged\n/g)?.length, 2);
    }));

  it("of an unknown name says where there is one, and of an unknown kind which there are", async () =>
    await withRig(async (rig, file) => {
      await say(rig, "apply", "-f", file(strict));
      const { code, err } = await say(rig, "get", "pa", "default");
      assert.equal(code, 1);
      assert.match(err, /there is no PeerAuthentication default\/default\nhint: .* -n payments\n/);
      const kind = await say(rig, "get", "peerauthentcation");
      assert.deepEqual([kind.code, /did you mean "PeerAuthentication"/.test(kind.err)], [2, true]);
    }));
});

describe("validate", () => {
  it("of a server says where its directory is wrong, whatever the file is called", async () => {
    using data = temporaryDirectory();
    using directory = temporaryDirectory();
    const path = join(directory.path, "a.yaml: b.yaml");
    writeFileSync(path, strict.replace("STRICT", "OFF"));
    await using rig = await openResourcesRig(data.path, directory.path);
    const { code, out } = await say(rig, "validate", "-o", "json");
    const [problem] = JSON.parse(out).findings;
    assert.deepEqual([code, problem.code], [4, "invalid-value"]);
    assert.match(problem.origin.replace(path, ""), /^:\d+$/);
    assert.match(problem.text, /^expected one of /);
    const got = await say(rig, "get", "-A");
    assert.equal(got.code, 3);
    assert(
      got.err.startsWith(`warning: ${problem.origin}: PeerAuthentication payments/default: `),
      got.err,
    );
  });
});

describe("diff", () => {
  it("shows what apply would write, and exits 3", async () =>
    await withRig(async (rig, file) => {
      await say(rig, "apply", "-f", file(strict));
      const same = await say(rig, "diff", "-f", file(strict));
      assert.deepEqual([same.code, same.out], [0, ""]);
      const path = file(`${permissive}---\n${peerYaml("a/new", "STRICT")}`);
      const other = await say(rig, "diff", "-f", path);
      assert.equal(other.code, 3);
      assert.match(other.out, /^PeerAuthentication payments\/default configured\n--- applied\n/);
      assert.match(other.out, /\n- +mode: STRICT\n\+ +mode: PERMISSIVE\n/);
      assert.match(other.out, /\nPeerAuthentication a\/new created\n--- nothing\n/);
      assert.equal(rig.resources.set.sequence, 1);
    }));
});

describe("delete", () => {
  it("takes one by its name or those of files, and says what is not there", async () =>
    await withRig(async (rig, file) => {
      const path = file(`${strict}---\n${weak}`);
      await say(rig, "apply", "-f", path);
      const one = await say(rig, "delete", "dr", "weak", "-n", "payments");
      assert.deepEqual([one.code, one.out], [0, "DestinationRule payments/weak deleted\n"]);
      const both = await say(rig, "delete", "-f", path);
      assert.equal(both.code, 1);
      assert.match(
        both.err,
        /there is no DestinationRule payments\/weak.*\nhint: portcullis get -A/,
      );
      assert.equal(rig.resources.set.objects().length, 1);
      for (const words of [[], ["pa"], ["pa", "weak", "-f", path]]) {
        assert.equal((await say(rig, "delete", ...words)).code, 2);
      }
    }));
});
