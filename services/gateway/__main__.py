"""`python -m services.gateway`."""

from services.common.server import run
from services.gateway.config import GatewaySettings
from services.gateway.wiring import open_service

if __name__ == "__main__":
    run("gateway", GatewaySettings, open_service, ["CatalogSettingsService", "IndexAdminService", "UserDataService"])
