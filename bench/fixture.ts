/** What the parts of a bench share: who mints tokens, prepared requests, and how much is to be measured. */

import { join } from "node:path";
import { writeCorpus } from "./corpus.ts";
import { buildPrograms, type Programs } from "./programs.ts";
import { BenchServer } from "./server.ts";
import { makeTokenIssuer, type TokenOptions } from "./tokens.ts";

export interface BenchSize {
  /** Certificates in a run. */
  readonly count: number;
  readonly runs: number;
  readonly starts: number;
  /** Before the memory is looked at. */
  readonly certificates: number;
  /** Identities that renew all at once. */
  readonly renewals: number;
  /** In the log, when proofs are asked for. */
  readonly logged: number;
  /** Streams on one server, at most. */
  readonly agents: number;
  /** Real ones, at one node agent. */
  readonly envoys: number;
  /** In a cluster that a server watches. */
  readonly pods: number;
  readonly namespaces: number;
}

export interface BenchContext {
  /** For what lives as long as the bench. */
  readonly directory: string;
  readonly size: BenchSize;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

export interface Fixture extends BenchContext {
  readonly programs: Programs;
  readonly tokens: TokenOptions;
  readonly jwksFile: string;
}

/** A fixture with requests, and a server's directory that has a root. */
export interface LoadFixture extends Fixture {
  readonly dataDir: string;
  readonly rootFile: string;
  /** Each record has a token of its own. */
  readonly requestsFile: string;
  /** One record. */
  readonly oneRequestFile: string;
}

export async function makeFixture(context: BenchContext): Promise<Fixture> {
  context.progress("building the load generators");
  const programs = await buildPrograms(context.signal);
  const jwksFile = join(context.directory, "jwks.json");
  return { ...context, programs, tokens: await makeTokenIssuer(jwksFile, Date.now()), jwksFile };
}

/** @param records of the requests */
export async function makeLoadFixture(fixture: Fixture, records: number): Promise<LoadFixture> {
  const { directory, tokens, seed, signal, progress } = fixture;
  const dataDir = join(directory, "data");
  const requestsFile = join(directory, "requests");
  const oneRequestFile = join(directory, "one-request");
  // The first start makes the root; those that are measured find it.
  const server = await BenchServer.start({ ...fixture, dataDir });
  await server[Symbol.asyncDispose]();
  progress(`minting ${records} tokens`);
  const corpus = { seed, trustDomain: "cluster.local", tokens };
  await writeCorpus({ ...corpus, file: requestsFile, records, workloads: 500 }, signal);
  await writeCorpus({ ...corpus, file: oneRequestFile, records: 1, workloads: 1 }, signal);
  const rootFile = join(dataDir, "root-cert.pem");
  return { ...fixture, dataDir, rootFile, requestsFile, oneRequestFile };
}
