from tests.serverfixture import (  # noqa: F401
    app_client,
    each_app_client,
    make_app_client,
    make_running_server,
    running_server,
)
