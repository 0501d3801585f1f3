/** What `bundle show --from` believes, and what it refuses (SPIFFE Federation 5). */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";

import { BundleDocumentError } from "../../src/core/spiffe/bundle-document.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { parsePem } from "../../src/core/x509/pem.ts";
import {
  BundleClientError,
  fetchBundleDocument,
  parseEndpointUrl,
  type BundleClientErrorCode,
  type EndpointProfile,
} from "../../src/edge/rpc/bundle-client.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeWebCertificate, startBundleRig, type BundleRig } from "./bundle-rig.ts";

const ENDPOINT_ID = SpiffeId.parse("spiffe://cluster.local/portcullis/server");
const signal = new AbortController().signal;

const hasCode =
  (code: BundleClientErrorCode) =>
  (error: unknown): boolean =>
    error instanceof BundleClientError && error.code === code;

function certificatesOf(file: string): readonly Uint8Array[] {
  return parsePem(readFileSync(file, "utf8"), "CERTIFICATE", { blocksMax: 8 });
}

describe("an endpoint of ours", () => {
  let rig: BundleRig;
  before(async () => {
    rig = await startBundleRig();
  });
  after(() => rig[Symbol.asyncDispose]());
  const roots = () => rig.parts.trust.current.bundle.roots;
  const fetchIt = (profile: EndpointProfile) =>
    fetchBundleDocument(new URL(rig.endpoint.url), profile, signal);

  test("FED-11, FED-12: is believed under its ID and its bundle, whatever its name", async () => {
    const { document } = await fetchIt({
      kind: "https_spiffe",
      endpointId: ENDPOINT_ID,
      roots: roots(),
    });
    assert.equal(document.sequence, 1n);
    assert.equal(document.refreshHintSeconds, 300);
    assert.equal(document.jwtKeys.length, 1);
    // By the document that it serves itself, as in a later poll.
    const again = { kind: "https_spiffe", endpointId: ENDPOINT_ID, roots: document.roots } as const;
    assert.deepEqual((await fetchIt(again)).document, document);
  });

  test("is believed by its name under roots that are given for the web", async () => {
    assert.equal((await fetchIt({ kind: "https_web", roots: roots() })).document.sequence, 1n);
  });

  const untrusted: readonly (readonly [string, () => EndpointProfile])[] = [
    [
      "another ID of the trust domain",
      () => ({
        kind: "https_spiffe",
        endpointId: SpiffeId.parse("spiffe://cluster.local/portcullis/serve"),
        roots: roots(),
      }),
    ],
    [
      "another trust domain's ID",
      () => ({
        kind: "https_spiffe",
        endpointId: SpiffeId.parse("spiffe://other.example/portcullis/server"),
        roots: roots(),
      }),
    ],
    ["no root", () => ({ kind: "https_spiffe", endpointId: ENDPOINT_ID, roots: [] })],
    ["no root for the web", () => ({ kind: "https_web", roots: [] })],
    ["the system's roots", () => ({ kind: "https_web", roots: undefined })],
    [
      "other roots",
      () => {
        using directory = temporaryDirectory();
        const other = certificatesOf(makeWebCertificate(directory.path).certificate);
        return { kind: "https_spiffe", endpointId: ENDPOINT_ID, roots: other };
      },
    ],
  ];
  for (const [title, profile] of untrusted) {
    test(`is not believed under ${title}`, async () => {
      await assert.rejects(fetchIt(profile()), hasCode("bundle-endpoint-untrusted"));
    });
  }
});

describe("an endpoint of anybody", () => {
  const url = `URI:${ENDPOINT_ID.toString()}`;

  test("is not believed without exactly one SPIFFE ID, or with a CA's certificate", async () => {
    for (const names of ["DNS:localhost", `${url},URI:spiffe://cluster.local/other`]) {
      await assert.rejects(
        serveAndFetch(answer("{}"), names),
        hasCode("bundle-endpoint-untrusted"),
      );
    }
    // `openssl req -x509` makes a CA, which is no leaf.
    await assert.rejects(serveAndFetch(answer("{}"), url), hasCode("bundle-endpoint-untrusted"));
  });

  const answers: readonly (readonly [string, BundleClientErrorCode, RequestListener])[] = [
    [
      "a redirect",
      "bundle-endpoint-redirect",
      (_, response) => response.writeHead(307, { location: "https://localhost/" }).end(),
    ],
    ["status 404", "bundle-endpoint-status", (_, response) => response.writeHead(404).end("{}")],
    ["status 206", "bundle-endpoint-status", (_, response) => response.writeHead(206).end("{}")],
    ["2 MiB", "bundle-endpoint-too-large", answer(" ".repeat(2 ** 21))],
    ["what is not UTF-8", "bundle-endpoint-encoding", answer(Uint8Array.of(0x22, 0xff, 0x22))],
    [
      "the end of the connection",
      "bundle-endpoint-unreachable",
      (request) => request.socket.destroy(),
    ],
    [
      "half of what it announced",
      "bundle-endpoint-unreachable",
      (request, response) => {
        response.writeHead(200, { "content-length": 10 }).write("{");
        setTimeout(() => request.socket.destroy(), 20);
      },
    ],
  ];
  for (const [title, code, listener] of answers) {
    test(`is refused when it answers with ${title}`, async () => {
      await assert.rejects(serveAndFetch(listener), hasCode(code));
    });
  }

  test("is refused when it serves no bundle document", async () => {
    for (const text of ["", "[]", "{}", '{"keys":{}}', "<html>"]) {
      await assert.rejects(serveAndFetch(answer(text)), BundleDocumentError);
    }
  });

  test("may trust nobody, and an exact sequence of 64 bits survives", async () => {
    const text = '{"keys":[],"spiffe_sequence":18446744073709551615}';
    const { document } = await serveAndFetch(answer(text));
    assert.deepEqual([document.roots.length, document.sequence], [0, 2n ** 64n - 1n]);
  });

  test("that says nothing is left when the caller has enough", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const fetching = serveAndFetch(() => stop.abort(reason), undefined, stop.signal);
    await assert.rejects(fetching, reason);
  });

  test("that is not there is unreachable", async () => {
    const nobody = new URL("https://127.0.0.1:1/");
    const profile = { kind: "https_web", roots: undefined } as const;
    const fetching = fetchBundleDocument(nobody, profile, signal);
    await assert.rejects(fetching, hasCode("bundle-endpoint-unreachable"));
  });
});

describe("an endpoint's URL", () => {
  for (const text of [
    "http://a",
    "a",
    "",
    "https://user@a",
    "https://user:pass@a",
    "https://:pass@a",
    "spiffe://a",
    "https://",
  ]) {
    test(`FED-8: is not ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseEndpointUrl(text),
        (error) => hasCode("bundle-endpoint-url")(error) && !/pass/.test(String(error)),
      );
    });
  }

  test("FED-8: is https, with any host, port and path", () => {
    assert.equal(parseEndpointUrl("https://[::1]:8443/a?b").href, "https://[::1]:8443/a?b");
  });
});

function answer(content: string | Uint8Array): RequestListener {
  return (_, response) => response.end(content);
}

/** Under a certificate of its own: by its name, or with `spiffeNames` by its SPIFFE ID. */
async function serveAndFetch(
  listener: RequestListener,
  spiffeNames?: string,
  abort: AbortSignal = signal,
) {
  using directory = temporaryDirectory();
  const names = spiffeNames ?? "DNS:localhost,IP:127.0.0.1";
  const files = makeWebCertificate(directory.path, { names });
  const roots = certificatesOf(files.certificate);
  const server = createServer(
    { key: readFileSync(files.key), cert: readFileSync(files.certificate) },
    listener,
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const profile: EndpointProfile =
    spiffeNames === undefined
      ? { kind: "https_web", roots }
      : { kind: "https_spiffe", endpointId: ENDPOINT_ID, roots };
  try {
    return await fetchBundleDocument(new URL(`https://127.0.0.1:${port}`), profile, abort);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
