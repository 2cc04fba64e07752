"use client";

import { ThreadListPrimitive, useAuiState } from "@assistant-ui/react";
import { useCrews } from "crew-web-adapter/react";
import { useId, useRef, useState, type KeyboardEvent } from "react";
import { focusComposer } from "../composer-focus";
import { crew } from "../crew";
import { Plus, Search } from "../icons";
import { listMore, useListed } from "../listed";
import { useNow } from "../useNow";
import { Chosen } from "./chosen";
import { groupOf, matches, type Group } from "./group";
import { Row } from "./Row";

/** All conversations that the sidecar keeps, the one last at work first. `onChosen`: one is shown now. */
export function Conversations({ onChosen }: { readonly onChosen?: () => void }) {
  const [query, setQuery] = useState("");
  return (
    <ThreadListPrimitive.Root className="conversations">
      <nav aria-label="Conversations">
        <ThreadListPrimitive.New
          className="new"
          onClick={() => {
            onChosen?.();
            focusComposer();
          }}
        >
          <Plus />
          New conversation
        </ThreadListPrimitive.New>
        <Chosen value={onChosen}>
          <SearchBox query={query} onQuery={setQuery} />
          <List query={query} />
        </Chosen>
      </nav>
    </ThreadListPrimitive.Root>
  );
}

interface Listed {
  readonly id: string;
  readonly index: number;
  readonly title: string;
  readonly updated: number | undefined;
}

/** Those that something was said in, in the list's order. */
function useConversations(): readonly Listed[] {
  const ids = useAuiState(({ threads }) => threads.threadIds);
  const items = useAuiState(({ threads }) => threads.threadItems);
  const known = new Map(items.map((item) => [item.id, item]));
  return ids.flatMap((id, index) => {
    const { title = "", custom } = known.get(id) ?? {};
    const updated = custom?.["updated"] as number | undefined;
    return custom?.["state"] === undefined ? [] : [{ id, index, title, updated }];
  });
}

interface SearchBoxProps {
  readonly query: string;
  readonly onQuery: (query: string) => void;
}

function SearchBox({ query, onQuery }: SearchBoxProps) {
  const place = useRef<HTMLDivElement>(null);
  const any = useConversations().length > 0;
  const onKeyDown = (event: KeyboardEvent) => {
    const first = place.current?.parentElement?.querySelector<HTMLButtonElement>(".conversation-open");
    if (event.key === "Escape" && query) onQuery("");
    else if (event.key === "ArrowDown") first?.focus();
    else if (event.key === "Enter") first?.click();
    else return;
    // Escape would close the drawer, or stop what the crew is at.
    event.preventDefault();
    event.stopPropagation();
  };
  return any || query ? (
    <div className="conversation-search" ref={place} role="search">
      <Search />
      <input
        type="search"
        value={query}
        placeholder="Search"
        aria-label="Search conversations"
        dir="auto"
        maxLength={200}
        onChange={({ target }) => onQuery(target.value)}
        onKeyDown={onKeyDown}
      />
    </div>
  ) : null;
}

function List({ query }: { readonly query: string }) {
  const all = useConversations();
  const now = useNow(60_000);
  const asked = useListed();
  const found = all.filter(({ title }) => matches(title, query));
  const groups = new Map<Group, Listed[]>();
  for (const one of found) {
    const group = groupOf(one.updated, now);
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  // As many as were asked for: there may be more.
  const more = all.length >= asked;
  return (
    <>
      {[...groups].map(([group, rows]) => (
        <Rows key={group} group={group} rows={rows} />
      ))}
      {found.length === 0 && <Empty query={query} />}
      {more && (
        <button type="button" className="link conversation-more" onClick={listMore}>
          {query ? "Search older ones too" : "Show older"}
        </button>
      )}
      <p className="sr-only" role="status">
        {query && `${found.length} found`}
      </p>
    </>
  );
}

function Rows({ group, rows }: { readonly group: Group; readonly rows: readonly Listed[] }) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 className="conversation-group" id={id}>
        {group}
      </h2>
      <ul className="conversation-list">
        {rows.map(({ id: thread, index }) => (
          <ThreadListPrimitive.ItemByIndex key={thread} index={index} components={ROW} />
        ))}
      </ul>
    </section>
  );
}

const ROW = { ThreadListItem: Row };

/** Why there is nothing to choose from. */
function Empty({ query }: { readonly query: string }) {
  const loading = useAuiState(({ threads }) => threads.isLoading);
  const { error, refresh } = useCrews(crew);
  if (query) return <p className="conversation-none">Nothing has these words in its title.</p>;
  if (error)
    return (
      <p className="conversation-none">
        The sidecar isn’t running, and it has the conversations.{" "}
        <button type="button" className="link" onClick={refresh}>
          Look again
        </button>
      </p>
    );
  return loading ? null : <p className="conversation-none">What you ask the crew is kept here.</p>;
}
