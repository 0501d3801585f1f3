/** What strangers can do to a webhook's port: nothing that is without a bound. */

import assert from "node:assert/strict";
import { connect as tcpConnect } from "node:net";
import { Agent, request } from "node:https";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { connect } from "node:tls";
import { makeAuthority, type TestAuthority } from "../../../test/support/authority.ts";
import { issueServingCertificate } from "../../../test/support/serving.ts";
import { PortcullisError } from "../../core/error.ts";
import { encodePem } from "../../core/x509/pem.ts";
import { questionDeadlineMs } from "./webhook-deadline.ts";
import { WebhookHttp, type AskedFrom } from "./webhook-http.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
}

describe("a webhook's port", () => {
  let authority: TestAuthority;
  let http: WebhookHttp;
  let port = 0;
  let nowMs = 0;
  let answer: (body: string, of: AskedFrom) => Promise<string>;
  const agent = new Agent({ keepAlive: true, maxSockets: 40 });

  before(async () => {
    authority = await makeAuthority("p256", Date.now());
    const identity = issueServingCertificate(authority, ["127.0.0.1"], Date.now());
    http = new WebhookHttp(identity, {
      path: "/validate",
      answer: (body, of) => answer(body, of),
      nowMs: () => nowMs,
    });
    ({ port } = await http.listen("127.0.0.1", 0));
  });

  after(async () => {
    agent.destroy();
    await http[Symbol.asyncDispose]();
  });

  async function ask(
    body: string | Uint8Array,
    path = "/validate",
    method = "POST",
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const ca = encodePem(authority.root, "CERTIFICATE");
    const asked = request({ port, host: "127.0.0.1", path, method, agent, ca }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.once("error", reject);
    asked.end(body);
    return await promise;
  }

  it("answers a question, and says by when", async () => {
    answer = (body, { deadlineMs }) => Promise.resolve(`${body} in ${deadlineMs}`);
    assert.deepEqual(await ask("é", "/validate?timeout=5s"), { status: 200, text: "é in 4000" });
  });

  it("has one path and one method", async () => {
    assert.equal((await ask("", "/")).status, 404);
    assert.equal((await ask("", "/validate/more")).status, 404);
    assert.equal((await ask("", "/validate", "PUT")).status, 405);
  });

  it("tells what is wrong with a question, and nothing of what is wrong here", async () => {
    answer = () => Promise.reject(new PortcullisError("no", "expected more"));
    assert.deepEqual(await ask("x"), { status: 400, text: "expected more\n" });
    answer = () => Promise.reject(new Error("a secret"));
    assert.deepEqual(await ask("x"), { status: 500, text: "internal\n" });
  });

  it("reads no more than 256 KiB, and no text that is none", async () => {
    answer = () => Promise.resolve("ok");
    assert.equal((await ask("x".repeat(262_144))).status, 200);
    // Whoever is told in the middle of it may see the connection end instead.
    const large = await ask("x".repeat(262_145)).catch(() => ({ status: 413 }));
    assert.equal(large.status, 413);
    assert.equal((await ask(Uint8Array.of(0xff, 0xfe))).status, 413);
  });

  it("takes 32 questions of an address at a time", async () => {
    const open = Promise.withResolvers<string>();
    answer = () => open.promise;
    nowMs += 60_000;
    const refused: number[] = [];
    const asked = Array.from({ length: 40 }, async () => {
      const { status } = await ask("x");
      // The first that are answered are those that found no room.
      if (refused.push(status) === 8) open.resolve("ok");
      return status;
    });
    const all = (await Promise.all(asked)).toSorted((a, b) => a - b);
    assert.deepEqual(all, [...Array(32).fill(200), ...Array(8).fill(503)]);
  });

  it("answers an address 400 times at once, and 200 times a second", async () => {
    answer = () => Promise.resolve("ok");
    nowMs += 60_000;
    const statuses: number[] = [];
    for (let at = 0; at < 410; at++) statuses.push((await ask("x")).status);
    assert.deepEqual([statuses.indexOf(429), new Set(statuses).size], [400, 2]);
    nowMs += 1_000;
    assert.equal((await ask("x")).status, 200);
    nowMs += 60_000;
  });

  it("reads 2 MiB of an address at once, and 512 KiB a second", async () => {
    answer = () => Promise.resolve("ok");
    nowMs += 60_000;
    const statuses: number[] = [];
    const large = "x".repeat(262_144);
    for (let at = 0; at < 9; at++) statuses.push((await ask(large)).status);
    assert.deepEqual(statuses, [...Array(8).fill(200), 429]);
    nowMs += 500;
    assert.equal((await ask(large)).status, 200);
    assert.equal((await ask("x")).status, 429);
    nowMs += 60_000;
  });

  it("answers others while an address sends slowly, of whom it hears four, and those for 2 s", async () => {
    answer = () => Promise.resolve("ok");
    agent.destroy();
    const slow = Array.from({ length: 40 }, async () => {
      const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
      socket.on("error", () => {});
      const head = "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
      socket.once("secureConnect", () => socket.write(head));
      let said = "";
      socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
      const startMs = performance.now();
      await once(socket, "close");
      assert.match(said, /^HTTP\/1\.1 408 /);
      return performance.now() - startMs;
    });
    const first = await Promise.race(slow);
    for (let at = 0; at < 20; at++) assert.equal((await ask("x")).status, 200);
    const waited = await Promise.all(slow);
    assert.ok(first < 2_000);
    assert.equal(waited.filter((ms) => ms >= 1_900).length, 4);
  });

  it("takes 64 connections of an address", async () => {
    agent.destroy();
    const sockets = Array.from({ length: 70 }, () => tcpConnect(port, "127.0.0.1"));
    const ended = sockets.map(async (socket) => {
      socket.on("error", () => {});
      await once(socket, "close");
    });
    await Promise.race([Promise.all(ended.slice(-6)), Promise.any(ended.slice(0, 60))]);
    assert.equal(sockets.filter(({ destroyed }) => destroyed).length, 6);
    for (const socket of sockets) socket.destroy();
    await Promise.all(ended);
  });

  it("speaks no TLS before 1.2", async () => {
    const rejectUnauthorized = false;
    const old = connect({
      port,
      host: "127.0.0.1",
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1",
      rejectUnauthorized,
      ciphers: "ALL:@SECLEVEL=0",
    });
    const [error] = await once(old, "error");
    assert.match(String(error), /alert|version|protocol/i);
    old.destroy();
  });
});

it("a question's deadline is sooner than that of whoever asks", () => {
  const table: readonly (readonly [string, number])[] = [
    ["/validate?timeout=5s", 4_000],
    ["/validate?timeout=30s", 24_000],
    ["/validate?timeout=1s", 800],
    ["/validate", 8_000],
    ["/validate?timeout=0s", 800],
    ["/validate?timeout=99s", 24_000],
    ["/validate?timeout=1m", 8_000],
  ];
  for (const [url, ms] of table) assert.equal(questionDeadlineMs(url), ms, url);
});
