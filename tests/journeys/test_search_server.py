"""A service that keeps its index on a search server, which goes away and comes back."""

from __future__ import annotations

from pathlib import Path

from journeys.test_search_journey import found, soon
from servers.opensearch import opensearch2
from servers.service import Service


def test_what_happens_while_the_search_server_is_away_is_found_afterwards(tree: str, tmp_path: Path) -> None:
    running = Service(tree, base=str(tmp_path))
    with opensearch2() as search_server:
        password = "never-to-be-shown"
        address = search_server.endpoint.replace("://", f"://ada:{password}@")
        running.environment = {"WIO_ELASTICSEARCH_NODE_1": address, "WIO_ELASTICSEARCH_PREFIX": "lab"}
        running.start()
        try:
            ada = running.administrator()
            ada.wio("root", "import", "existing", "plates")
            soon(lambda: len(found(ada)) == 6)
            assert found(ada, "name:plate-*.csv") == {
                f"ada/plates/2026-01/plate-{number}.csv" for number in (1, 2)
            }

            search_server.stop()
            refusals = [ada.refused("search", "plate"), ada.refused("search", "plate", "--count")]
            Path(tree, "plates", "while-away.csv").write_bytes(b"new")
            Path(tree, "plates", "raw", "a0").unlink()
            # What is known without the engine is answered: sums are the catalogue's.
            soon(lambda: ada.json("du", "plates")["objects"] == 6)
            soon(lambda: running.log().count("told later") > 0)

            search_server.start()
            soon(lambda: found(ada, "while-away") == {"ada/plates/while-away.csv"}, seconds=60)
            soon(lambda: "ada/plates/raw/a0" not in found(ada))
            assert len(found(ada)) == 6
            shown = ada.wio("index", "status", "--json")
        finally:
            running.stop()
    for refusal in refusals:
        assert refusal.strip().endswith("The search server doesn't answer; try again in a moment."), refusal
        assert str(search_server.port) not in refusal
    for text in (*refusals, shown, running.log()):
        assert password not in text
