import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import type { RequestListener, Server } from "node:http";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { TokenKey } from "../../../test/support/tokens.ts";
import { jwksDocument, makeTokenKey } from "../../../test/support/tokens.ts";
import type { JwksEvent, JwksSourceOptions } from "./jwks.ts";
import { JwksSource } from "./jwks.ts";
import type { JwksErrorCode } from "./key-set.ts";
import { JwksError } from "./key-set.ts";

const first = makeTokenKey("ES256", "first");
const second = makeTokenKey("ES256", "second");
const forever = new AbortController().signal;

/** An issuer's endpoint on a real socket, which a test can break. */
class Endpoint implements AsyncDisposable {
  requests = 0;
  respond: RequestListener;
  readonly #server: Server;

  private constructor(respond: RequestListener) {
    this.respond = respond;
    this.#server = createServer((request, response) => {
      this.requests++;
      this.respond(request, response);
    });
  }

  static async open(respond: RequestListener): Promise<Endpoint> {
    const endpoint = new Endpoint(respond);
    await once(endpoint.#server.listen(0, "127.0.0.1"), "listening");
    return endpoint;
  }

  get url(): URL {
    const address = this.#server.address();
    assert.ok(typeof address === "object" && address !== null);
    return new URL(`http://127.0.0.1:${address.port}/openid/v1/jwks`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await this.#server[Symbol.asyncDispose]();
  }
}

function serve(...keys: readonly TokenKey[]): RequestListener {
  return (_request, response) => void response.end(jwksDocument(...keys));
}

function answer(status: number, body = "", headers: Record<string, string> = {}): RequestListener {
  return (_request, response) => void response.writeHead(status, headers).end(body);
}

type Changes = Partial<Omit<JwksSourceOptions, "location">>;

/** A source without a gap between refreshes, with what it has told. */
async function openSource(
  location: URL | string,
  changes: Changes = {},
): Promise<{ source: JwksSource; events: JwksEvent[] }> {
  const events: JwksEvent[] = [];
  const options = {
    location:
      typeof location === "string"
        ? ({ kind: "file", path: location } as const)
        : ({ kind: "url", url: location } as const),
    onEvent: (event: JwksEvent) => void events.push(event),
    refreshGapMs: 0,
    readTimeoutMs: 200,
    ...changes,
  };
  return { source: await JwksSource.open(options, forever), events };
}

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "portcullis-jwks-"));
  const remove = (): Promise<void> => rm(path, { recursive: true });
  return { path, [Symbol.asyncDispose]: remove };
}

function assertCode(code: JwksErrorCode): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof JwksError, String(error));
    assert.equal(error.code, code);
    return true;
  };
}

test("finds a new key after a refresh, and forgets one that was withdrawn", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const { source, events } = await openSource(endpoint.url);
  using _ = source;
  assert.deepEqual(source.keySet.keyIds, ["first"]);

  endpoint.respond = serve(first, second);
  assert.equal(await source.refresh(forever), true);
  assert.deepEqual(source.keySet.keyIds, ["first", "second"]);

  endpoint.respond = serve(second);
  assert.equal(await source.refresh(forever), true);
  assert.deepEqual(source.keySet.keyIds, ["second"]);
  assert.deepEqual(
    events.map((event) => event.kind === "loaded" && event.changed),
    [true, true, true],
  );
});

test("is the same set as long as the document is the same", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const { source, events } = await openSource(endpoint.url);
  using _ = source;
  const { keySet } = source;
  assert.equal(await source.refresh(forever), true);
  assert.equal(source.keySet, keySet);
  assert.deepEqual(events.at(-1), { kind: "loaded", keySet, changed: false });
});

test("begins without keys where the mesh must not wait for an issuer, and gets them later", async () => {
  await using endpoint = await Endpoint.open(answer(503));
  const events: JwksEvent[] = [];
  const onEvent = (event: JwksEvent): void => void events.push(event);
  const location = { kind: "url", url: endpoint.url } as const;
  using source = JwksSource.openLater({ location, onEvent, refreshGapMs: 0 });
  assert.deepEqual([source.isCurrent, source.keySet.keyIds], [false, []]);
  assert.equal(await source.refresh(forever), false);
  assert.equal(source.isCurrent, false);
  endpoint.respond = serve(first);
  assert.equal(await source.refresh(forever), true);
  assert.deepEqual([source.isCurrent, source.keySet.keyIds], [true, ["first"]]);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["failed", "loaded"],
  );
  const remote = { kind: "url", url: new URL("http://192.0.2.1/") } as const;
  assert.throws(
    () => JwksSource.openLater({ location: remote, onEvent }),
    assertCode("jwks-location"),
  );
});

const valid = jwksDocument(first);
const OUTAGES: readonly (readonly [string, JwksErrorCode, RequestListener])[] = [
  ["answers 500", "jwks-unreadable", answer(500, valid)],
  ["answers 403", "jwks-unreadable", answer(403)],
  ["answers 204", "jwks-unreadable", answer(204)],
  ["redirects elsewhere", "jwks-unreadable", answer(302, "", { location: "http://192.0.2.1/" })],
  ["redirects to itself", "jwks-unreadable", answer(307, valid, { location: "/openid/v1/jwks" })],
  ["hangs up", "jwks-unreadable", (request) => void request.socket.destroy()],
  ["never answers", "jwks-unreadable", () => {}],
  ["stops in the middle", "jwks-unreadable", (_, response) => void response.write('{"keys":')],
  [
    "hangs up in the middle",
    "jwks-unreadable",
    (_, response) => {
      response.writeHead(200, { "content-length": valid.length });
      response.write(valid.slice(0, 20), () => response.destroy());
    },
  ],
  ["answers with HTML", "jwks-malformed", answer(200, "<html>")],
  ["answers with nothing", "jwks-malformed", answer(200)],
  ["has no keys", "jwks-empty", answer(200, '{"keys":[]}')],
  ["has only keys of no use", "jwks-empty", answer(200, '{"keys":[{"kty":"oct","k":"AAAA"}]}')],
  ["has too much to say", "jwks-too-large", answer(200, valid + " ".repeat(70_000))],
  ["never ends", "jwks-too-large", (_, response) => pour(response)],
];

/** In what a log shows of an error: its message, and those of its causes. */
function timesNamed(location: string, error: unknown): number {
  if (!(error instanceof Error)) return 0;
  return error.message.split(location).length - 1 + timesNamed(location, error.cause);
}

function pour(response: Parameters<RequestListener>[1]): void {
  while (!response.destroyed && response.write(" ".repeat(16_384)));
  response.once("drain", () => pour(response));
}

for (const [what, code, respond] of OUTAGES) {
  test(`keeps the last good set when the issuer ${what}, and heals`, async () => {
    await using endpoint = await Endpoint.open(serve(first));
    const { source, events } = await openSource(endpoint.url);
    using _ = source;
    const { keySet } = source;

    endpoint.respond = respond;
    assert.equal(await source.refresh(forever), false);
    assert.equal(source.keySet, keySet);
    assert.equal(source.isCurrent, false);
    const event = events.at(-1);
    assert.ok(event?.kind === "failed");
    assertCode(code)(event.error);
    assert.equal(timesNamed(endpoint.url.href, event.error), 1);

    endpoint.respond = serve(second);
    assert.equal(await source.refresh(forever), true);
    assert.equal(source.isCurrent, true);
    assert.deepEqual(source.keySet.keyIds, ["second"]);
  });

  test(`does not start when the issuer ${what}`, async () => {
    await using endpoint = await Endpoint.open(respond);
    await assert.rejects(openSource(endpoint.url), assertCode(code));
  });
}

test("does not start without an issuer or without a file", async () => {
  const endpoint = await Endpoint.open(serve(first));
  const { url } = endpoint;
  await endpoint[Symbol.asyncDispose]();
  await assert.rejects(openSource(url), assertCode("jwks-unreadable"));
  await using directory = await temporaryDirectory();
  await assert.rejects(openSource(join(directory.path, "none")), assertCode("jwks-unreadable"));
  await assert.rejects(openSource(directory.path), assertCode("jwks-unreadable"));
});

test("asks the issuer once for any number of unknown keys at a time", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const { source } = await openSource(endpoint.url);
  using _ = source;
  const flood = Array.from({ length: 1000 }, () => source.refresh(forever));
  assert.ok((await Promise.all(flood)).every(Boolean));
  assert.equal(endpoint.requests, 2);
});

test("asks the issuer once per gap, however long unknown keys keep coming", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const { source } = await openSource(endpoint.url, { refreshGapMs: 100 });
  using _ = source;
  const start = performance.now();
  while (performance.now() - start < 350) {
    await source.refresh(forever);
    await delay(1);
  }
  assert.ok(endpoint.requests >= 3 && endpoint.requests <= 5, String(endpoint.requests));
});

test("keeps the gap also while the issuer is down", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const { source, events } = await openSource(endpoint.url, { refreshGapMs: 60_000 });
  using _ = source;
  endpoint.respond = answer(500);
  for (let i = 0; i < 100; i++) assert.equal(await source.refresh(forever), false);
  assert.equal(endpoint.requests, 1);
  assert.equal(events.length, 1);
});

test("reads the set again by itself", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const loaded = Promise.withResolvers<void>();
  const { source } = await openSource(endpoint.url, {
    refreshIntervalMs: 20,
    onEvent: (event) => {
      if (event.kind === "loaded" && event.keySet.keyIds.includes("second")) loaded.resolve();
    },
  });
  using _ = source;
  endpoint.respond = serve(second);
  await loaded.promise;
  assert.deepEqual(source.keySet.keyIds, ["second"]);
});

test("ends the wait of a caller who gives up, and of no other", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const { source } = await openSource(endpoint.url, { readTimeoutMs: 5000 });
  using _ = source;
  const { promise: asked, resolve } = Promise.withResolvers<Parameters<RequestListener>[1]>();
  endpoint.respond = (_request, response) => resolve(response);
  const impatient = new AbortController();
  const abandoned = source.refresh(impatient.signal);
  const patient = source.refresh(forever);
  const response = await asked;
  impatient.abort(new Error("deadline"));
  await assert.rejects(abandoned, /deadline/);
  response.end(jwksDocument(second));
  assert.equal(await patient, true);
  await assert.rejects(source.refresh(impatient.signal), /deadline/);
});

test("stops when it is disposed, without a word", async () => {
  await using endpoint = await Endpoint.open(serve(first));
  const { source, events } = await openSource(endpoint.url, { refreshIntervalMs: 10 });
  endpoint.respond = () => {};
  const waiting = source.refresh(forever);
  source[Symbol.dispose]();
  assert.equal(await waiting, false);
  const { requests } = endpoint;
  await delay(50);
  assert.equal(endpoint.requests, requests);
  assert.equal(events.length, 1);
});

test("follows a file that is replaced, and keeps the last good set when it is broken", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "jwks.json");
  await writeFile(path, jwksDocument(first));
  const { source, events } = await openSource(path);
  using _ = source;

  await writeFile(`${path}.new`, jwksDocument(first, second));
  await rename(`${path}.new`, path);
  assert.equal(await source.refresh(forever), true);
  assert.deepEqual(source.keySet.keyIds, ["first", "second"]);

  const broken = [jwksDocument(first).slice(1), "", '{"keys":[]}', " ".repeat(65_537), undefined];
  const codes = [
    ...(["jwks-malformed", "jwks-malformed", "jwks-empty"] as const),
    ...(["jwks-too-large", "jwks-unreadable"] as const),
  ];
  for (const [index, text] of broken.entries()) {
    await (text === undefined ? rm(path) : writeFile(path, text));
    assert.equal(await source.refresh(forever), false);
    const event = events.at(-1);
    assert.ok(event?.kind === "failed");
    assertCode(codes[index] ?? "jwks-location")(event.error);
    assert.equal(timesNamed(path, event.error), 1);
    assert.deepEqual(source.keySet.keyIds, ["first", "second"]);
  }
});
