"""`python -m services.retrieval`."""

from services.common.server import run
from services.retrieval.config import RetrievalSettings
from services.retrieval.wiring import open_service

if __name__ == "__main__":
    run("retrieval", RetrievalSettings, open_service, ["CatalogSettingsService", "IndexAdminService"])
