import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { assert as assertProperty, asyncProperty, stringMatching } from "fast-check";
import { AdminAccessError } from "../../edge/rpc/admin-error.ts";
import type { Environment } from "../../edge/config/paths.ts";
import type { Reach } from "./admin-address.ts";
import { hinted, pasteable, resolveServerTarget } from "./server-target.ts";

const admin = "unix:///run/a.sock";
const reach = (env: Environment): Reach => ({ env, signal: new AbortController().signal });

describe("a command that is printed", () => {
  it("has the flags that the verb was given, before its own", async () => {
    const target = await resolveServerTarget({ admin, "data-dir": "/srv/a" }, reach({}));
    assert.equal(
      pasteable(
        target,
        "wait, then portcullis root activate --waive NAME, or portcullis root abort",
      ),
      `wait, then portcullis root activate --admin ${admin} --waive NAME, or portcullis root abort --admin ${admin}`,
    );
  });

  it("has them before the target of a flip, and after the verb's words", async () => {
    const target = await resolveServerTarget({ admin, "data-dir": undefined }, reach({}));
    assert.equal(
      pasteable(target, "portcullis mtls flip shop/api --to strict"),
      `portcullis mtls flip --admin ${admin} shop/api --to strict`,
    );
    assert.equal(pasteable(target, "portcullis get -A"), `portcullis get --admin ${admin} -A`);
  });

  it("has those of a cluster, and those alone that were given", async () => {
    const flags = { kubeconfig: "/etc/my config", context: "prod", "token-file": undefined };
    const target = await resolveServerTarget(
      { admin: undefined, "data-dir": undefined, ...flags },
      reach({}),
    );
    assert.equal(
      pasteable(target, "portcullis root status --all; portcullis audit tail"),
      "portcullis root status --kubeconfig '/etc/my config' --context prod --all; portcullis audit tail --data-dir DIR",
    );
  });

  it("of kubectl has the cluster's, before its own words", async () => {
    const flags = { kubeconfig: "/etc/my config", context: "prod", "kube-namespace": "mesh" };
    const target = await resolveServerTarget(
      { admin: undefined, "data-dir": undefined, ...flags },
      reach({}),
    );
    const prod = "--kubeconfig '/etc/my config' --context prod";
    for (const own of [
      "delete validatingwebhookconfiguration portcullis-guard, or give --guard",
      "create clusterrolebinding a --clusterrole=a --user='b'",
      "--namespace mesh describe pod portcullis-0",
      "-n mesh delete secret trust; then start again",
      "exec -n mesh portcullis-0 -- portcullis backup",
      "exec -n mesh portcullis-0 -- portcullis doctor --data-dir /data",
    ]) {
      assert.equal(pasteable(target, `or: kubectl ${own}`), `or: kubectl ${prod} ${own}`);
    }
  });

  it("of kubectl stays as it is where none of the cluster's was given", async () => {
    const target = await resolveServerTarget({ admin, "data-dir": undefined }, reach({}));
    const text = "kubectl get --raw /openid/v1/jwks";
    assert.equal(pasteable(target, text), text);
  });

  it("of kubectl has them, too, where a server lets nobody in without it", async () => {
    const hint = "kubectl create clusterrolebinding NAME --clusterrole=portcullis-admin";
    const refused = Promise.reject(new AdminAccessError("admin-forbidden", "no", { hint }));
    const target = { address: "", flagText: "", kubectlText: " --context prod" };
    await assert.rejects(hinted(target, refused), {
      name: "AdminAccessError",
      hint: hint.replace("kubectl", "kubectl --context prod"),
    });
  });

  it("of kubectl is told from words about it", () => {
    const words = "change it with kubectl: kubectl.kubernetes.io knows, and kubectl knows, too";
    assert.equal(pasteable({ flagText: "", kubectlText: " --context prod" }, words), words);
  });

  it("has none where the environment led to the server: it will again", async () => {
    const target = await resolveServerTarget(
      { admin: undefined, "data-dir": undefined },
      reach({ PORTCULLIS_ADMIN: admin }),
    );
    const text = "portcullis root status --all";
    assert.equal(pasteable(target, text), text);
  });

  for (const text of ["portcullis help root rotate", "portcullis root import x", "root status"]) {
    it(`stays as it is: ${text}`, () => {
      assert.equal(pasteable({ flagText: " --data-dir d" }, text), text);
    });
  }

  it("gives the shell the address again, whatever it has in it", async () => {
    const words = stringMatching(/^[ -~]{1,12}$/);
    await assertProperty(
      asyncProperty(words, async (word) => {
        const { flagText } = await resolveServerTarget(
          { admin: word, "data-dir": undefined },
          reach({}),
        );
        const echoed = execFileSync("sh", ["-c", `printf '%s\\n'${flagText}`], {
          encoding: "utf8",
        });
        assert.equal(echoed, `--admin\n${word}\n`);
      }),
      { numRuns: 30 },
    );
  });
});
