"use client";

export { createCrewAdapter } from "./adapter.ts";
export type { CrewAdapter } from "./adapter.ts";
export { useCrewConnection } from "./connection.ts";
export { useCrewRuntime } from "./hooks.ts";
export { useCrewRuns, useCrews, useThreads } from "./lists.ts";
export type { CrewRuns } from "./lists.ts";
export { conversation } from "./memory.ts";
export type { Conversation } from "./memory.ts";
export { useLiveRun } from "./live.ts";
export type { CrewAdapterOptions, CrewRuntimeOptions, LocalOptions } from "./options.ts";
export { CREW_PART, CREW_QUESTION, toResult } from "../result.ts";
export type { CrewResult, Part, ResultOptions } from "../result.ts";
export { useCrewRun } from "./run.ts";
export type { CrewRun } from "./run.ts";
