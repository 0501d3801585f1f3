import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { AdminPermission } from "../../../../core/kube/who/admin-permissions.ts";
import type { ReviewedOperator } from "../../../../core/kube/who/reviewed-operator.ts";
import type { RefusedToken } from "../../../../core/kube/who/review-answer.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import { Operators } from "./operators.ts";

const audience = "portcullis-admin";
const alice: ReviewedOperator = {
  kind: "authenticated",
  username: "alice",
  uid: "1",
  groups: ["ops"],
  extra: {},
};

interface Scene {
  readonly operators: Operators;
  readonly asked: string[];
  readonly log: string[];
  nowMs: number;
  /** Of whom the token is, by the cluster's keys. */
  holderOf: (name: string) => string | undefined;
  answer: () => Promise<ReviewedOperator | RefusedToken>;
  mayDo: (permission: AdminPermission) => Promise<boolean>;
}

function scene(): Scene {
  const asked: string[] = [];
  const log: string[] = [];
  const it: Scene = {
    operators: new Operators({
      audience,
      verify: async (token) => it.holderOf(token.split(".")[2] ?? ""),
      review: async (token) => {
        asked.push(`who ${token.split(".")[2]}`);
        return await it.answer();
      },
      mayDo: async ({ username }, permission) => {
        asked.push(`may ${username} ${permission.verb} ${permission.resource}`);
        return await it.mayDo(permission);
      },
      log: pino({ level: "debug" }, { write: (line) => void log.push(line) }),
      nowMs: () => it.nowMs,
      monotonicMs: () => it.nowMs,
    }),
    asked,
    log,
    nowMs: 1_000_000,
    holderOf: (name) => `uid-${name}`,
    answer: async () => alice,
    mayDo: async () => true,
  };
  return it;
}

function token(name: string, claims: object = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256" })}.${part({ aud: [audience], exp: 2_000, ...claims })}.${name}`;
}

const bearer = (name: string, claims?: object): readonly string[] => [
  `Bearer ${token(name, claims)}`,
];
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return "let in";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
};

describe("Operators", () => {
  it("ask nobody about what is no token for the admin API alone", async () => {
    const it = scene();
    const table: readonly (readonly [readonly string[], string])[] = [
      [[], "token-missing"],
      [["Bearer a", "Bearer b"], "token-malformed"],
      [["Basic YTpi"], "token-missing"],
      [["Bearer garbage"], "token-malformed"],
      [bearer("aaaa", { aud: "istio-ca" }), "token-audience"],
      [bearer("aaaa", { aud: [audience, "istio-ca"] }), "token-audience"],
      [bearer("aaaa", { aud: [] }), "token-audience"],
      [bearer("aaaa", { aud: undefined }), "token-audience"],
      [bearer("aaaa", { exp: 1_000 }), "operator-token"],
      [bearer("aaaa", { exp: "2000" }), "operator-token"],
      [[`Bearer ${"a".repeat(9_000)}`], "token-malformed"],
    ];
    for (const [values, code] of table) {
      assert.equal(await codeOf(it.operators.enter(values)), code, values.join().slice(0, 80));
    }
    assert.deepEqual(it.asked, []);
  });

  it("ask once for all who come at once, and again after 10 s", async () => {
    const it = scene();
    const all = await Promise.all(
      Array.from({ length: 20 }, () => it.operators.enter(bearer("aaaa"))),
    );
    assert.deepEqual([...new Set(all.map(({ operator }) => operator))], ["kubernetes:alice"]);
    await Promise.all(all.map((each) => each.allow("getStatus", {})));
    assert.deepEqual(it.asked, ["who aaaa", "may alice get status"]);
    it.nowMs += 9_999;
    await (await it.operators.enter(bearer("aaaa"))).allow("getStatus", {});
    assert.equal(it.asked.length, 2);
    it.nowMs += 1;
    await (await it.operators.enter(bearer("aaaa"))).allow("getStatus", {});
    assert.equal(it.asked.length, 4);
  });

  it("give nobody what another token was given, and no verb for another", async () => {
    const it = scene();
    const first = await it.operators.enter(bearer("aaaa"));
    await first.allow("listDenials", {});
    it.mayDo = async () => false;
    const second = await it.operators.enter(bearer("bbbb"));
    assert.equal(await codeOf(second.allow("listDenials", {})), "operator-forbidden");
    assert.equal(await codeOf(first.allow("addDenial", {})), "operator-forbidden");
    assert.equal(await codeOf(first.allow("listDenials", {})), "let in");
  });

  it("count a no for 2 s: a role may have been given since", async () => {
    const it = scene();
    it.mayDo = async () => false;
    const visitor = await it.operators.enter(bearer("aaaa"));
    assert.equal(await codeOf(visitor.allow("acceptClock", {})), "operator-forbidden");
    it.mayDo = async () => true;
    it.nowMs += 1_999;
    assert.equal(await codeOf(visitor.allow("acceptClock", {})), "operator-forbidden");
    it.nowMs += 1;
    assert.equal(await codeOf(visitor.allow("acceptClock", {})), "let in");
  });

  it("let nobody in while the API server cannot be asked, and remember nothing of that", async () => {
    const it = scene();
    it.answer = () => Promise.reject(new KubeError("kube-unreachable", "away"));
    assert.equal(await codeOf(it.operators.enter(bearer("aaaa"))), "operator-unknown");
    it.answer = async () => alice;
    const visitor = await it.operators.enter(bearer("aaaa"));
    it.mayDo = () => Promise.reject(new KubeError("kube-throttled", "slow down"));
    assert.equal(await codeOf(visitor.allow("backup", {})), "operator-unknown");
    it.mayDo = async () => true;
    assert.equal(await codeOf(visitor.allow("backup", {})), "let in");
  });

  it("bound how many of them wait for the API server", async () => {
    const it = scene();
    const gate = Promise.withResolvers<ReviewedOperator>();
    it.answer = () => gate.promise;
    const codes = Array.from({ length: 60 }, (_, at) =>
      codeOf(it.operators.enter(bearer(`a${String(at).padStart(3, "0")}`))),
    );
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    assert.equal(it.asked.length, 8);
    gate.resolve(alice);
    const said = await Promise.all(codes);
    assert.equal(said.filter((each) => each === "let in").length, 40);
    assert.equal(said.filter((each) => each === "operator-unknown").length, 20);
  });

  it("let operators in while strangers come with tokens that nobody here can verify", async () => {
    const it = scene();
    const isStranger = (name: string): boolean => name.startsWith("evil");
    it.holderOf = (name) => (isStranger(name) ? undefined : name);
    const gate = Promise.withResolvers<ReviewedOperator>();
    it.answer = () => gate.promise;
    await Promise.resolve();
    const strangers = Array.from({ length: 200 }, (_, at) =>
      codeOf(it.operators.enter(bearer(`evil${String(at).padStart(4, "0")}`))),
    );
    await Promise.all(strangers.slice(10));
    assert.deepEqual(it.asked, ["who evil0000", "who evil0001"]);
    assert.equal(it.log.filter((line) => line.includes("operators-unknown")).length, 1);
    it.answer = async () => alice;
    for (let at = 0; at < 20; at++) {
      assert.equal(await codeOf(it.operators.enter(bearer(`gd${at + 10}`))), "let in");
    }
    gate.resolve(alice);
    assert.deepEqual(await Promise.all(strangers.slice(0, 10)), Array(10).fill("let in"));
    // Nor do they push his answer out.
    it.asked.length = 0;
    for (let at = 0; at < 300; at++) await it.operators.enter(bearer(`evilA${100 + at}`));
    it.asked.length = 0;
    await it.operators.enter(bearer("gd10"));
    assert.deepEqual(it.asked, []);
  });

  it("give a service account few of all places, however many tokens of its own it has", async () => {
    const it = scene();
    it.holderOf = (name) => (name.startsWith("evil") ? "evil" : name);
    const gate = Promise.withResolvers<ReviewedOperator>();
    it.answer = () => gate.promise;
    const all = Array.from({ length: 60 }, (_, at) =>
      codeOf(it.operators.enter(bearer(`evil${at + 1_000}`))),
    );
    await Promise.all(all.slice(4));
    assert.equal(it.asked.length, 4);
    it.answer = async () => alice;
    assert.equal(await codeOf(it.operators.enter(bearer("good"))), "let in");
    gate.resolve(alice);
    const codes = await Promise.all(all);
    assert.deepEqual([...new Set(codes.slice(4))], ["operator-unknown"]);
    assert.deepEqual([...new Set(codes.slice(0, 4))], ["let in"]);
  });

  it("ask nobody about a token that the cluster's keys do not verify", async () => {
    const it = scene();
    it.holderOf = () => {
      throw new AuthnError("token-signature", "scripted");
    };
    assert.equal(await codeOf(it.operators.enter(bearer("aaaa"))), "token-signature");
    assert.deepEqual(it.asked, []);
  });

  it("say in the log what was refused, and never a token", async () => {
    const it = scene();
    it.answer = async () => ({ kind: "refused", why: "the API server says: expired" });
    assert.equal(await codeOf(it.operators.enter(bearer("aaaa"))), "operator-token");
    it.answer = async () => alice;
    it.mayDo = async () => false;
    const visitor = await it.operators.enter(bearer("bbbb"));
    await codeOf(visitor.allow("changeRoot", { command: { case: "activate" } }));
    assert.match(
      it.log.join(""),
      /"event":"operator-refused","why":"the API server says: expired"/,
    );
    assert.match(
      it.log.join(""),
      /"operator":"kubernetes:alice","permission":"activate roots.portcullis.io"/,
    );
    assert.equal(/aaaa|bbbb|Bearer/.test(it.log.join("")), false);
  });

  it("refuse a request that asks for nothing, and a method that nobody knows", async () => {
    const it = scene();
    const visitor = await it.operators.enter(bearer("aaaa"));
    assert.equal(await codeOf(visitor.allow("changeRoot", {})), "operator-request");
    assert.equal(await codeOf(visitor.allow("formatDisk", {})), "operator-request");
    assert.deepEqual(it.asked, ["who aaaa"]);
  });
});
